"""``lbdart size``: the packages of a layer or of a zip, the largest first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .inventories import Reader, aws_options, reader
from .output import Column, json_option, note, print_json, print_table, say, size
from .project_options import Asked, project_options
from .wording import in_options

if TYPE_CHECKING:
    from ..core.reports.import_time import ImportTime
    from ..core.reports.inventory import Inventory, Size

    #: The import time of each package; None when they are not measured.
    Times = dict[str, ImportTime] | None

_OWN: Final = "Own code"


@click.command(short_help="Show the packages of a layer or a zip by size.")
@project_options("layer", metavar="[PROJECT|ZIP|LAYER:VERSION]")
@click.option(
    "--import-time",
    "with_times",
    is_flag=True,
    help="Import each package, and show how long it takes. This runs the code in the zip.",
)
@click.option("--html", type=click.Path(), metavar="FILE", help="Also write a page with a treemap.")
@aws_options
@json_option
def command(
    asked: Asked,
    html: str | None,
    region: str | None,
    profile: str | None,
    *,
    with_times: bool,
    as_json: bool,
) -> None:
    """Show the packages of a layer by size, zipped and unzipped.

    The layer is that of PROJECT, which is built with the options if the cache does not have it, any ZIP of a
    layer or of a function, or a published version such as Orders-Deps:3.
    """
    with reader(asked, region, profile) as reads:
        inventory = reads.built(asked.project)
        times = _times(inventory, asked, reads) if with_times else None
        if html is not None:
            _write_page(Path(html), inventory, times)
        if as_json:
            print_json(_document(inventory, times))
        else:
            _print(inventory, times)


def _times(inventory: Inventory, asked: Asked, reads: Reader) -> Times:
    """Return the import times; None, and say why, when they cannot be measured here."""
    from ..core.errors import LbdartError
    from ..core.progress import announced
    from ..core.reports.import_time import find_runner, import_times

    python = reads.python(asked.project)
    with reads.store.scratch() as folder:
        try:
            interpreter = find_runner(inventory, python, folder)
        except LbdartError as error:
            note(in_options(str(error)))
            return None
        with announced(f"Importing the packages of {inventory.what}"):
            return import_times(inventory, interpreter, folder)


def _print(inventory: Inventory, times: Times) -> None:
    from ..core.project.target import MAX_UNZIPPED
    from ..core.reports.inventory import Size

    total = inventory.size or Size()
    rows = [
        [package.name, package.version, *_cells(package.size or Size()), *_time(times, package.name)]
        for package in inventory.by_size
    ]
    if inventory.own:
        rows.append([_OWN, "", *_cells(inventory.own_size), *_time(times, _OWN)])
    rows.append(["Total", "", *_cells(total), *_time(times, "")])
    numbers = ["Zipped", "Unzipped", f"Of {size(MAX_UNZIPPED).replace('.0', '')}"]
    numbers += ["Import"] if times is not None else []
    print_table(["Package", "Version", *(Column(title, is_number=True) for title in numbers)], rows)
    if inventory.bytecode.files:
        say(f"Bytecode is {size(inventory.bytecode.unzipped)} of the unzipped files.")
    if inventory.zip_size is not None:
        say(f"The zip file itself has {size(inventory.zip_size)}.")
    for name, time in (times or {}).items():
        if time.failure:
            say(f"{name} cannot be imported: {time.failure}.")


def _cells(counted: Size) -> list[str]:
    from ..core.project.target import MAX_UNZIPPED

    return [size(counted.zipped), size(counted.unzipped), f"{counted.unzipped / MAX_UNZIPPED:.1%}"]


def _time(times: Times, name: str) -> list[str]:
    """Return the cell of an import time, if the table has that column."""
    if times is None:
        return []
    time = times.get(name)
    if time is None or not time.modules:
        return [""]
    return [f"{time.seconds:.2f} s" if time.seconds is not None else "fails"]


def _document(inventory: Inventory, times: Times) -> dict[str, Any]:
    from ..core.project.target import MAX_UNZIPPED
    from ..core.reports.inventory import Size

    packages = []
    for package in inventory.by_size:
        table = package.to_json()
        if times is not None:
            time = times[package.name]
            table |= {"modules": [*time.modules], "import_seconds": time.seconds}
            table |= {"import_failure": time.failure or None}
        packages.append(table)
    return {
        "what": inventory.what,
        "zip_size": inventory.zip_size,
        "limit": MAX_UNZIPPED,
        **(inventory.size or Size()).to_json(),
        "bytecode": inventory.bytecode.to_json(),
        "own_code": inventory.own_size.to_json(),
        "packages": packages,
    }


def _write_page(path: Path, inventory: Inventory, times: Times) -> None:
    from ..core.errors import LbdartError
    from ..core.reports.page import page

    try:
        path.write_text(page(inventory, times), encoding="utf-8", newline="\n")
    except OSError as error:
        raise LbdartError(f"{path} cannot be written: {error.strerror}.", "Name another file.") from error
