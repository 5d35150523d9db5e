"""A layer: where it lies, how it is uploaded and how it becomes a layer version."""
