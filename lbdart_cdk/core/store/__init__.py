"""A key or a hash comes in; a file or a note on this machine's disk goes out.

A file appears complete or not at all.
"""
