"""Compiled files: what they need, what a Lambda runtime has, and whether the two agree."""
