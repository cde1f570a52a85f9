"""Several nouns for an image (MKT and what came after it), with a list of labels or without."""
