"""Judging predicted nouns: annotators, and the path from predictions to an annotations document."""
