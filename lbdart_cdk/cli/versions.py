"""``lbdart versions``: the published versions of a layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from .output import Column, json_option, note, print_json, print_table, size

if TYPE_CHECKING:
    from ..core.reports.layer_versions import PublishedVersion

#: How many characters of a build key and of a time a table shows.
_KEY, _MINUTES = 12, len("2026-11-28T06:40")


@click.command()
@click.argument("layer")
@click.option("--no-functions", is_flag=True, help="Do not look for the functions that use each version.")
@click.option("--bucket", help="The bucket with the manifests of the layer.")
@click.option("--prefix", help="The prefix of the manifests in the bucket.  [default: the name of the layer]")
@click.option("--region", help="The Region of the layer.")
@click.option("--profile", help="A profile of the AWS configuration files.")
@json_option
def command(  # noqa: PLR0917  (click passes each option by its name)
    layer: str,
    no_functions: bool,
    bucket: str | None,
    prefix: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """List the versions of LAYER, a name or an ARN, and the functions that use each.

    Only the functions of the same account and Region are found. AWS is only read.
    """
    from ..core.errors import MissingError
    from ..core.publishing.layouts import LayerS3Layout
    from ..core.publishing.s3 import S3Path
    from ..core.reports.aws import client_of, session_of
    from ..core.reports.layer_versions import layer_versions
    from ..core.reports.naming import Named

    named = Named.parse(layer)
    session = session_of(named.region or region, profile)
    records = None
    if bucket is not None:
        records = client_of(session, "s3"), LayerS3Layout(S3Path(bucket, prefix or named.name))
    versions = layer_versions(
        client_of(session, "lambda"), named.layer, records=records, with_functions=not no_functions
    )
    if named.number is not None:
        versions = [version for version in versions if version.number == named.number]
        if not versions:
            raise MissingError(
                f"There is no version {named.number} of the layer {named.name}.",
                f"List all versions with `lbdart versions {named.name}`.",
            )
    if as_json:
        print_json([version.to_json() for version in versions])
        return
    _print(versions)
    if any(version.size is None for version in versions):
        note("Sizes are missing: lambda:GetLayerVersion is not allowed.")


def _print(versions: Iterable[PublishedVersion]) -> None:
    found = list(versions)
    columns: list[Column | str] = [
        Column("Version", is_number=True),
        "Created",
        Column("Size", is_number=True),
        "Runtimes",
        "Architectures",
        "Build key",
    ]
    rows = [
        [
            version.number,
            version.created[:_MINUTES].replace("T", " "),
            size(version.size) if version.size is not None else "",
            " ".join(version.runtimes),
            " ".join(version.architectures),
            (version.build_key or "none")[:_KEY],
        ]
        for version in found
    ]
    if any(version.manifest for version in found):
        columns.append("Manifest")
        for row, version in zip(rows, found, strict=True):
            row.append(version.manifest or "none")
    if any(version.used_by is not None for version in found):
        columns.append("Used by")
        for row, version in zip(rows, found, strict=True):
            row.append(" ".join(version.users) or "none")
    print_table(columns, rows)
