"""Greets in the language of the visitor."""
