"""Compare thousands of projects with what uv makes of them in place: ``python -m tests.oracle --count 2000``.

Every difference is printed with the line that describes its project; ``--project LINE`` tries that one again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.support.index import Index

from .projects import Project, random_project
from .search import Report, shrunk, tried
from .wheelhouse import wheelhouse


def main() -> None:
    """Print each project that differs, and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="the first of COUNT seeds")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--edits", type=int, default=3, help="edits tried for each project")
    parser.add_argument("--project", action="append", help="a line of an earlier run, instead of seeds")
    parser.add_argument("--shrink", action="store_true", help="find the simplest project for each difference")
    parser.add_argument("--verbose", action="store_true", help="print what fails in place, too")
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.count)
    projects = [Project.parse(line) for line in arguments.project or ()] or map(random_project, seeds)
    end = time.monotonic() + arguments.minutes * 60
    report = Report()
    context = multiprocessing.get_context("forkserver")
    with (
        Index(wheelhouse(Path(".cache", "oracle").absolute())) as index,
        # Not in this checkout, whose ignore files a build in the cache could find.
        tempfile.TemporaryDirectory(prefix="oracle-uv-cache-", ignore_cleanup_errors=True) as uv_cache,
        ProcessPoolExecutor(arguments.workers, mp_context=context) as pool,
    ):
        options = {"index": f"{index.url}/simple/", "uv_cache": Path(uv_cache), "edits": arguments.edits}
        examine = partial(shrunk if arguments.shrink else tried, **options)
        pending = [(one, pool.submit(examine, one)) for one in projects]
        for project, future in pending:
            if time.monotonic() > end:
                future.cancel()
                continue
            simplest, outcome = future.result()
            report.add(project, outcome)
            if outcome.failed and arguments.verbose:
                print(simplest, f"    fails in place: {outcome.failed}", sep="\n", flush=True)
            if outcome.wrong:
                print(simplest, *(f"    {line}" for line in outcome.wrong), sep="\n", flush=True)
    print(report)
    sys.exit(bool(report.differ.total()))


if __name__ == "__main__":
    main()
