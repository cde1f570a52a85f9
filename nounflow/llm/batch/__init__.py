"""The Batch API: files of many requests, answered within a day for less money."""
