"""A zip, a lock or a bill of materials comes in; what is in it, how large, and what differs goes out.

Start with :class:`~.inventory.Inventory`.
"""
