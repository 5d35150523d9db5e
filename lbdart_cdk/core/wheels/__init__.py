"""A selection comes in; checked wheels in the store go out.

Downloads the wheels, or builds them from source.
"""
