"""A zip and its manifest come in; a published layer version, or a source zip at its key, goes out.

Runs in Lambda too: imports only the standard library and boto3.
"""
