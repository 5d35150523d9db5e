"""Verify this release in a real AWS account: deploy one stack, check each step, and remove all of it.

It makes a bootstrap stack and an application stack with names of their own, and deletes both. That takes
about ten minutes, some cents, and the permissions to bootstrap CDK. At its end it prints what was checked,
also when a step failed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import uuid
from pathlib import Path

from .account import Account, StepFailedError
from .steps import Verification


def main() -> int:
    """Return the exit code: 0 when every check held."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before anything is deployed")
    parser.add_argument("--keep", action="store_true", help="leave the stacks when a step fails")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="lbdart-verify-") as folder:
        account = Account(Path(folder), f"LbdartVerify{uuid.uuid4().hex[:8]}")
        print(f"Account {account.number}, Region {account.region}, stack {account.stack}")
        if not arguments.yes and input("Deploy there, and delete it again? [y/N] ").strip().lower() != "y":
            return 1
        verification = Verification(account)
        failed = False
        try:
            verification.run()
        except StepFailedError as error:
            failed = True
            print(f"\n{error}", file=sys.stderr)
        finally:
            if not (failed and arguments.keep):
                verification.clean_up()
            print(verification.summary())
    return 0 if verification.held and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
