"""``lbdart doctor``: what this machine has for builds, and what a build here could do."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import FAILED
from .output import json_option, note, print_json, print_table, say
from .wording import in_options

if TYPE_CHECKING:
    from ..core.reports.doctor import Finding, Machine

#: The file with the settings of the cdk command line for an app.
_CDK_APP = "cdk.json"


@click.command()
@click.argument("project", required=False, type=click.Path())
@click.option("--tool", metavar="NAME", help="The packaging tool of the project.")
@click.option("--aws", is_flag=True, help="Ask AWS who this is, too.")
@click.option("--region", help="With --aws: the Region.")
@click.option("--profile", help="With --aws: a profile of the AWS configuration files.")
@json_option
def command(
    project: str | None,
    tool: str | None,
    region: str | None,
    profile: str | None,
    *,
    aws: bool,
    as_json: bool,
) -> None:
    """Show what this machine has for builds, and what a build of PROJECT could do here.

    Nothing is built or downloaded, and no password is shown. Ends with 1 when something that is needed is
    missing.
    """
    if not aws and (region is not None or profile is not None):
        raise click.UsageError("--region and --profile are for --aws.")
    from ..core.reports.doctor import Machine, Status, identity
    from ..core.store.store import Store

    machine = Machine(Store())
    folders = (Path.cwd(), Path(project or "."))
    found = machine.findings(needs_node=any((folder / _CDK_APP).is_file() for folder in folders))
    if aws:
        from ..core.reports.aws import session_of

        found.append(identity(session_of(region, profile)))
    of_project = _of_project(project, tool, machine) if project is not None else []
    found, of_project = map(_worded, (found, of_project))
    if as_json:
        print_json({"machine": list(map(asdict, found)), "project": list(map(asdict, of_project))})
    else:
        _print(found)
        if of_project:
            say()
            _print(of_project)
    if any(finding.status == Status.problem for finding in (*found, *of_project)):
        sys.exit(FAILED)


def _of_project(path: str, name: str | None, machine: Machine) -> list[Finding]:
    from ..core.errors import LbdartError
    from ..core.process import time_limit
    from ..core.reports.doctor import Finding, Here, project_at
    from ..core.reports.indexes import logins_of
    from ..tools._logins import indexes

    try:
        project, tool = project_at(path, name)
        with time_limit(10):
            known = logins_of(indexes(project))
    except LbdartError as error:
        return [Finding.problem("project", error)]
    return Here(machine, project, tool, known).findings()


def _worded(found: list[Finding]) -> list[Finding]:
    """Return findings in the words of the command line."""
    from dataclasses import replace

    return [replace(each, text=in_options(each.text), remedy=in_options(each.remedy)) for each in found]


def _print(found: list[Finding]) -> None:
    print_table(["What", "Status", "Found"], [(each.what, each.status, each.text) for each in found])
    for each in found:
        if each.remedy:
            note(f"{each.what}: {each.remedy}")
