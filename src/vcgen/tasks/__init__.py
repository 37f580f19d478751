"""Turn evidence into turns: templates, asks, built-in tasks, recipes, the judge."""
