"""Embedders behind one protocol; `nounflow.config.embedder` names their families."""
