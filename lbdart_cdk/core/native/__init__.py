"""Takes the compiled files of wheels; returns the errors and warnings about loading them on the target.

Knows which libraries the image of each Lambda runtime has.
"""
