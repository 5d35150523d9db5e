"""Publishes a zip and its manifest as a layer version, and uploads source zips.

This package runs in Lambda too, so it imports only the standard library and boto3.
"""
