"""Clips in, records out: value types, cleaning, readers of video text."""
