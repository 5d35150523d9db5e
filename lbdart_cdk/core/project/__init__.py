"""The user's directory comes in; its metadata, its input files and the target go out.

Only reads the user's tree.
"""
