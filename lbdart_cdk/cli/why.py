"""``lbdart why``: the inputs of a build, and which of them changed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from . import DIFFERENT
from .output import json_option, print_json, print_table, say
from .project_options import Asked, Kind, project_options

if TYPE_CHECKING:
    from ..core.reports.why import Comparison, Why

#: How many packages and variables the table shows.
_SHOWN = 8


@click.command()
@click.option(
    "--artifact",
    "kind",
    type=click.Choice(["layer", "source", "function"]),
    default="layer",
    show_default=True,
    help="What is built of the project.",
)
@click.option(
    "--published",
    metavar="LAYER[:VERSION]",
    help="Compare with a published layer version.  [default: its latest]",
)
@click.option("--bucket", help="The bucket with the records of the published layer.")
@click.option("--prefix", help="The prefix of the records in the bucket.  [default: the name of the layer]")
@click.option("--region", help="The Region of the published layer.")
@click.option("--profile", help="A profile of the AWS configuration files.")
@click.option("--exit-code", is_flag=True, help=f"End with {DIFFERENT} when something changed.")
@json_option
@project_options("layer", "source", "function")
def command(  # noqa: PLR0917  (click passes each option by its name)
    asked: Asked,
    kind: Kind,
    published: str | None,
    bucket: str | None,
    prefix: str | None,
    region: str | None,
    profile: str | None,
    *,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Tell why a build is another one than before.

    Shows the inputs of the build key, and which of them changed since the last build on this machine, or
    since a published version.
    """
    from ..core.reports.why import since, since_last_build
    from ..core.store.store import Store

    if published is not None and kind != "layer":
        raise click.UsageError("--published is for layers; leave out --artifact.")
    store = Store()
    artifact = asked.artifact(kind, store)
    if published is None:
        why = since_last_build(artifact)
    else:
        from ..core.reports.published import published_build

        where = {"bucket": bucket, "prefix": prefix, "region": region, "profile": profile}
        why = since(artifact, published_build(published, store, **where))
    if as_json:
        print_json(why.to_json())
    else:
        _print(why, kind)
    if exit_code and why.is_changed:
        sys.exit(DIFFERENT)


def _print(why: Why, kind: str) -> None:
    say(f"The {kind} has the build key {why.build_key}")
    say()
    print_table(["Input", "Value"], _rows(why))
    say()
    if why.comparison is None:
        say(f"No build of this {kind} is known here.")
        return
    for line in _lines(why.comparison):
        say(line)
    if why.before is not None:
        say()
        for line in _lines_before(why.before):
            say(line)


def _rows(why: Why) -> Iterable[tuple[str, str]]:
    from ..core.artifacts.summary import shortened

    for group, values in why.inputs.items():
        texts = [f"{name} {text}".strip() for name, text in values.items()]
        if group == "packages":
            texts = [f"{len(texts)}: {shortened(texts, _SHOWN)}"] if texts else []
        elif group in ("own code", "target"):
            texts = list(values.values())
        yield group, ", ".join(texts) or "none"


def _lines(comparison: Comparison) -> Iterable[str]:
    known = comparison.known
    if not comparison.is_changed:
        yield f"Nothing changed since {known.what}."
        return
    yield from _changed(f"Changed since {known.what}", comparison)


def _lines_before(comparison: Comparison) -> Iterable[str]:
    yield from _changed("That build differs from the one before it in", comparison)


def _changed(title: str, comparison: Comparison) -> Iterable[str]:
    known = comparison.known
    if comparison.changes is None:
        yield f"{title}: its build key is {known.build_key}, and its inputs are not known here."
        return
    if not comparison.changes:
        yield f"{title}: an input that is not recorded, such as the value of a variable."
    else:
        yield f"{title}:"
        for change in comparison.changes:
            yield f"  {change.group}: {change}"
    if known.unknown:
        yield f"Not recorded with {known.what}: {', '.join(known.unknown)}."
