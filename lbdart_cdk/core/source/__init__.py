"""A Lambda function's own code: where it lies and how it is uploaded."""
