"""A key or a hash comes in; a file or note on this machine's disk goes out.

Every file appears whole or not at all.
"""
