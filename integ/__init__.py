"""The example app, the local AWS it is deployed to, and the end-to-end tests."""
