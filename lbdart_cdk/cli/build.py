"""``lbdart build``: the zips that the constructs deploy, for other tools."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import json_option, print_json, say, showing_progress, warn
from .project_options import Asked, Kind, project_options
from .wording import in_options

if TYPE_CHECKING:
    from ..core.project.project import Project
    from ..core.project.target import Target


@click.group(short_help="Build the zip of a layer, of code, or of a function.")
def command() -> None:
    """Build the zip of a layer, of a project's code, or of a function with all that it needs.

    The bytes are those that the constructs deploy. The cache keeps what is built, so that a build of what has
    not changed is quick.
    """


def _output(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    """Return the path of the zip; a name that is no file's is a wrong use."""
    if value is None:
        return None
    if value == "-" or value.endswith(("/", "\\")) or Path(value).is_dir():
        raise click.BadParameter(f"{value!r} is not the name of a file; write a name such as layer.zip.")
    return Path(value)


def _output_option(kind: Kind) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "-o",
        "--output",
        type=click.Path(),
        callback=_output,
        metavar="FILE",
        help=f"Where to write the zip.  [default: build/{kind}.zip]",
    )


@command.command()
@project_options("layer")
@_output_option("layer")
@json_option
def layer(asked: Asked, output: Path | None, *, as_json: bool) -> None:
    """Build a layer with the locked dependencies of PROJECT."""
    _build("layer", asked, output, as_json=as_json)


@command.command()
@project_options("source")
@_output_option("source")
@json_option
def source(asked: Asked, output: Path | None, *, as_json: bool) -> None:
    """Build the zip of PROJECT's own code, without its dependencies."""
    _build("source", asked, output, as_json=as_json)


@command.command()
@project_options("function")
@_output_option("function")
@json_option
def function(asked: Asked, output: Path | None, *, as_json: bool) -> None:
    """Build one zip with PROJECT's own code and its locked dependencies."""
    _build("function", asked, output, as_json=as_json)


def _build(kind: Kind, asked: Asked, output: Path | None, *, as_json: bool) -> None:
    from ..core.artifacts.built import contents_of, timed
    from ..core.artifacts.own_code import refuse_among_own_files
    from ..core.locking.manifest import without_lock
    from ..core.store.store import Store

    path = output or Path("build", f"{kind}.zip")
    artifact = asked.artifact(kind, Store())
    project = artifact.project
    refuse_among_own_files(path, project, artifact.tool)
    target = _target(kind, asked, project)
    with showing_progress():
        built = timed(artifact)
        contents = contents_of(artifact, target)
    _write(path, contents.path, contents.sha256)
    warnings = [*(without_lock(project) if kind == "function" else ()), *contents.warnings]
    if as_json:
        print_json(
            {
                "kind": kind,
                "path": str(path),
                "project": project.name,
                "runtime": target.runtime if target is not None else None,
                "architecture": target.architecture if target is not None else None,
                "is_new": built.is_new,
                "sha256": contents.sha256,
                # the same, as Lambda's API has it
                "code_sha256": b64encode(bytes.fromhex(contents.sha256)).decode(),
                **contents.to_json(),
                "warnings": [
                    {"id": each.id, "text": in_options(each.text), "is_info": each.is_info}
                    for each in warnings
                ],
            }
        )
    else:
        say(in_options(built.line(str(path))))
        warn(warnings)


def _target(kind: Kind, asked: Asked, project: Project) -> Target | None:
    """Return what the zip is for; None for code that is the same for every target."""
    is_any = kind == "source" and asked.runtime is None and not asked.bytecode
    return None if is_any else asked.target_of(project)


def _write(path: Path, made: Path, sha256: str) -> None:
    """Copy a zip of the store to a path, whole or not at all; a file with these bytes stays as it is.

    :raises LbdartError: when the path cannot be written, or the zip in the store was changed.
    """
    from ..core.errors import LbdartError
    from ..core.keys import sha256_of
    from ..core.store.copies import copy_kept

    try:
        if path.is_file() and sha256_of(path) == sha256:
            return
        copy_kept(made, path, sha256)
    except OSError as error:
        raise LbdartError(
            f"{path} cannot be written: {error.strerror}.", "Name another file, or make room for this one."
        ) from error
