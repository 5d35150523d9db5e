"""A real Docker engine for the tests of container builds: ``python -m integ.docker COMMAND``."""

from .engine import IMAGE, NotPossibleError, docker, engine

__all__ = ["IMAGE", "NotPossibleError", "docker", "engine"]
