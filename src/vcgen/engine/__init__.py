"""Send many prompts to any chat endpoint, as fast as it allows."""
