"""Export, import, validate and describe finished runs."""
