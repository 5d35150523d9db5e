"""``python -m integ.local_aws [-- COMMAND...]``: the local AWS in the foreground, or around a command."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys

from integ.local_aws import LocalAws


def main(arguments: list[str]) -> int:
    """Run until Ctrl-C, or as long as the command."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if command[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with LocalAws() as aws:
        if command:
            return subprocess.run(command, env={**os.environ, **aws.environment()}, check=False).returncode
        for name, value in aws.environment().items():
            print(f"export {name}={shlex.quote(value)}")
        print("# The local AWS runs until Ctrl-C. Paste the lines above into another shell.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
