"""The specification's steps for a layer: a ``pyproject.toml`` comes in, a published layer version goes out.

For scripts without CDK; nothing below imports it.
"""
