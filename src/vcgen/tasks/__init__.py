"""Make turns of evidence: templates, requests, built-in tasks, recipes, the judge."""
