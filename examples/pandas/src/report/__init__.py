"""Totals of sales."""
