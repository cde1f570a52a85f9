"""Typed settings, a module for each part; `nounflow.config.experiment` puts them together."""
