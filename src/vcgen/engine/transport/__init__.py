"""Send bytes and receive bytes over HTTP."""
