"""The user's directory comes in; its metadata, its input files and the target go out.

Reads the user's files and never changes them.
"""
