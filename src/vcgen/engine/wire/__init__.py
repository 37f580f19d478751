"""Wire formats: a request to bytes, bytes to a completion or a failure. Pure."""
