"""Run tasks over clips, durably."""
