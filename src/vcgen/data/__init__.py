"""Clips in, records out: value types, cleaning, readers."""
