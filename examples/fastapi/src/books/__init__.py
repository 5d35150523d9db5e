"""Books by their number."""
