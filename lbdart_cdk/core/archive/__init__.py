"""Any zip comes in; its entries go out, and so do zips whose bytes depend only on their entries.

Knows the zip format, and nothing about wheels or layers.
"""
