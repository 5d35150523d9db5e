"""End-to-end tests, and the tests of the local AWS they run on."""
