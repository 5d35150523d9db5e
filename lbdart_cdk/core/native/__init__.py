"""The compiled files of wheels come in; errors and warnings about loading them on the target go out.

Knows which libraries the image of each Lambda runtime has.
"""
