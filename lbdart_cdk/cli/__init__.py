"""The command ``lbdart``.

Each subcommand is a module of this folder with its name, which has it as ``command``. The module is imported
when the subcommand is run.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, Final

import click

from ..core.errors import LbdartError

#: What exit codes mean, beside 0 for success. Click itself ends with 2 for a wrong use of the command.
FAILED: Final = 1
DIFFERENT: Final = 3


def _modules() -> list[str]:
    """Return the names of the modules that may be subcommands: those without ``_`` at the start."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in names if not name.startswith("_"))


class _Subcommands(click.Group):
    """The modules of this folder that define ``command``, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return [name for name in _modules() if self.get_command(ctx, name) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name; None when there is none."""
        if cmd_name not in _modules():
            return None
        command = getattr(importlib.import_module(f".{cmd_name}", __name__), "command", None)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a mistake of its user ends with two lines and no traceback."""
        try:
            return super().invoke(ctx)
        except LbdartError as error:
            from .wording import in_options

            click.echo(f"Error: {in_options(str(error))}", err=True)
            ctx.exit(FAILED)


@click.command(cls=_Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lbdart_cdk", prog_name="lbdart", message="%(prog)s %(version)s")
def main() -> None:
    """Build Python code for AWS Lambda from a lock, look into what was built, and ask why it changed."""
