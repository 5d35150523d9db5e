"""Runs Lambda functions as processes of this machine, driven through the Lambda Runtime API."""
