"""Brings the wheels of a selection into the store, and checks them.

Downloads wheels, or builds them from source.
"""
