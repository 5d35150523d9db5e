"""Reads entries from any zip, and writes zips whose bytes depend only on their entries.

This package knows the zip format. It knows nothing about wheels or layers.
"""
