"""Files and notes on this machine's disk, found by a key or a hash.

A file appears complete or not at all.
"""
