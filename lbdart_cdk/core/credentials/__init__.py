"""Credentials come in; the login for a URL and texts without secrets go out.

Also reads passwords from the keyring, AWS Secrets Manager and AWS CodeArtifact.
"""
