"""Decoder, head and retrieval behind one protocol; `loading.load_predictor` opens any of them."""
