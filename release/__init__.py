"""How a release of this library is built and checked: ``make dist`` and ``make release-check``."""
