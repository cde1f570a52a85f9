"""Object nouns from WordNet: selection by rule, forms, and weights from real frequencies."""
