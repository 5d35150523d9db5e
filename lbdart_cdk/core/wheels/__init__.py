"""A selection comes in; its wheels, complete and checked, go out to the store.

Downloads wheels, or builds them from source.
"""
