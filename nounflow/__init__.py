"""Name what is in any photograph, with a classifier built from nothing but words."""
