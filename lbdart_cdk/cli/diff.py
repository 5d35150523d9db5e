"""``lbdart diff``: what differs between two locks, zips, SBOMs, layers or layer versions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from . import DIFFERENT
from .inventories import aws_options, reader
from .output import Column, json_option, note, print_json, print_table, say
from .project_options import Asked, project_options

if TYPE_CHECKING:
    from ..core.reports.difference import Difference


@click.command(short_help="Show which packages differ between two locks, zips or layer versions.")
@project_options("layer", metavar="A")
@click.argument("other", metavar="B")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a pull request.")
@click.option("--exit-code", is_flag=True, help=f"End with {DIFFERENT} when something differs.")
@aws_options
@json_option
def command(
    asked: Asked,
    other: str,
    region: str | None,
    profile: str | None,
    *,
    as_markdown: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Show which packages differ between A and B.

    Each of them is a lock or a requirements file, of any name; a zip of a layer or of a function; a CycloneDX
    SBOM in JSON; a published layer version such as Orders-Deps:3; or the directory of a project, whose layer
    is built with the options if the cache does not have it.
    """
    from ..core.reports.difference import Difference
    from ..core.reports.told import caution, markdown

    if as_json and as_markdown:
        raise click.UsageError("--json and --markdown are two forms of one result; choose one.")
    with reader(asked, region, profile) as reads:
        difference = Difference(reads.inventory(asked.project), reads.inventory(other))
        if text := caution(difference):
            note(text)
        if as_json:
            print_json(difference.to_json())
        elif as_markdown:
            say(markdown(difference))
        else:
            _print(difference)
        differs = bool(difference)
    if exit_code and differs:
        sys.exit(DIFFERENT)


def _print(difference: Difference) -> None:
    from ..core.reports.told import counted, listing, row, totals

    if difference.changes:
        titles = ("Package", "Before", "After", "Change")
        print_table([*titles, Column("Unzipped", is_number=True)], map(row, difference.changes))
    say(counted(difference))
    if text := totals(difference):
        say(text)
    if difference.own:
        say(f"Own code: {difference.own}.")
        for line in listing(difference.own):
            say(f"  {line}")
