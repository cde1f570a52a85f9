"""Is an embedder what it should be: zero-shot accuracy beside published values, and its modality gap."""
