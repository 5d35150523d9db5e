"""``make verify-aws``: what this library promises, checked in a real AWS account."""
