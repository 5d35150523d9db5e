"""Run a command while there is a Docker engine: ``python -m integ.docker pytest -m docker``.

Where none can be, one line says why, and the command runs without.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack

from .engine import IMAGE, NotPossibleError, docker, engine


def main(command: list[str]) -> int:
    """Return the command's exit code."""
    # So that a time limit from outside stops the engine, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as running:
        try:
            if not _is_there():
                print("Bringing up a Docker engine ...", file=sys.stderr, flush=True)
                running.enter_context(engine())
        except NotPossibleError as error:
            print(f"No container is built in the tests: {error}", file=sys.stderr, flush=True)
        return subprocess.run(command, check=False).returncode


def _is_there() -> bool:
    try:
        return bool(docker("image", "inspect", IMAGE))
    except NotPossibleError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
