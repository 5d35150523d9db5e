"""A zip and its manifest come in; a published layer version, or a source zip at its S3 key, goes out.

Runs in Lambda too, so it imports only the standard library and boto3.
"""
