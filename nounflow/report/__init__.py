"""The report: one HTML page made of what was scored."""
