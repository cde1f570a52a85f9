"""Sub-commands of `nounflow`, a module for each subject; heavy imports stand inside the functions."""
