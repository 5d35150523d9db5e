"""Prices with the team's own library."""
