"""Scores with intervals, and the report: what the predictions are worth."""
