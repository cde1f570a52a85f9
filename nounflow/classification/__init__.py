"""Guided classification: a run that answers from the nouns of a labelled set's classes."""
