"""The specification's steps for a layer: a ``pyproject.toml`` comes in, a published layer version goes out.

For scripts without CDK; no other folder of the core imports it.
"""
