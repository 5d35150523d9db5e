"""The specification's steps for a function's code: a ``pyproject.toml`` comes in, a zip in S3 goes out.

For scripts without CDK; no other folder of the core imports it.
"""
