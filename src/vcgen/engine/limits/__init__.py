"""Decide when the next request may leave, and learn from those that come back."""
