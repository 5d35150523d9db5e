"""The oracle: what the product makes of a project is what uv makes of it in place."""
