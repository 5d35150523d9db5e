"""A selection comes in; whole, checked wheels in the store go out.

Downloads them, or builds them from source.
"""
