"""The compiled files of wheels come in; a list of what cannot load on the target goes out.

Knows which libraries the image of each Lambda runtime has.
"""
