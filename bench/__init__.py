"""Measures the speed and the memory that the README claims: ``make bench``."""
