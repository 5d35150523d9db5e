"""Counts the stock."""
