"""The run directory: what is written, read and kept whole."""
