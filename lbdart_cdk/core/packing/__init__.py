"""Merges wheels and directory trees to the entries of one zip.

Decides what happens when two packages bring the same path.
"""
