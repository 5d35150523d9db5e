"""A zip that somebody else made comes in; entries go out, and zips that depend on their entries alone.

Knows the format, and nothing of wheels or layers.
"""
