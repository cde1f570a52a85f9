"""The open set: how far to believe an answer, and when to say "none of these"."""
