"""From nouns to texts: prompt templates, multisets and captions."""
