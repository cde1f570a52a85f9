"""Decoder, head, retrieval and fused behind one protocol; `loading.load_predictor` opens any of them."""
