"""The run directory: written, read, and repaired after a crash."""
