"""Measures the speed and the memory that docs/benchmarks.md claims: ``make bench``."""
