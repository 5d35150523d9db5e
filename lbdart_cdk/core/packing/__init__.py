"""Wheels and directory trees come in; the entries of one zip go out.

Decides what happens when two packages bring the same path.
"""
