"""pylock: any PEP 751 lock file as it stands, whatever tool wrote it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lbdart_cdk.core.layer.builder import ToolLambdaLayerLocalBuilder
from lbdart_cdk.core.layer.container_builder import ToolLambdaLayerContainerBuilder
from lbdart_cdk.core.locking.lock import Lock, requirements
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import parse_toml
from lbdart_cdk.core.store.store import Store

from ._build import build_wheel
from ._logins import logins

if TYPE_CHECKING:
    from packaging.pylock import Pylock as Content


@dataclass(frozen=True, slots=True)
class Pylock:
    """Locks in the standard's own format: ``pylock.toml``, or ``pylock.NAME.toml`` when that is given."""

    name: str = "pylock"
    manifest: str = "pylock.toml"
    pattern: str = "pylock.*toml"

    def is_member(self, root: Path, manifest: Path) -> bool:
        """There are no workspaces."""
        return False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Read the lock; extras and groups are selected by the markers in it."""
        known = store.memo("pylocks", project.manifest_sha256, lambda: _known(project))
        return Lock(
            content=project.manifest_content.decode("utf-8-sig"),
            origin=project.manifest,
            base=project.manifest.parent,
            local=known["local"],
            requires=known["requires"],
            extras=options.extras,
            groups=options.groups,
            logins=lambda: logins(project),
        )

    def build_wheel(self, source: Path, output: Path) -> None:
        """Build with uv, else with pip."""
        build_wheel(source, output)


TOOL: Final = Pylock()


def _known(project: Project) -> dict[str, Any]:
    """Read which packages are directories, and who requires whom."""
    from lbdart_cdk.core.locking.selection import parsed

    content = parsed(parse_toml(project.manifest_content, project.manifest), project.manifest)
    local = {
        package.name: str(Path(package.directory.path, package.directory.subdirectory or ""))
        for package in content.packages
        if package.directory is not None
    }
    return {"local": local, "requires": _requires(content)}


def _requires(content: Content) -> dict[str, dict[str, str | None]] | None:
    """Return who requires whom, or None when the lock does not say it for any package."""
    edges: defaultdict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for package in content.packages:
        edges[package.name] += [(one["name"], None) for one in package.dependencies or () if "name" in one]
    return {name: requirements(required) for name, required in edges.items()} if any(edges.values()) else None


class PylockLambdaLayerLocalBuilder(ToolLambdaLayerLocalBuilder):
    """Builds the layer of a PEP 751 lock, on this machine, for any target."""

    tool = TOOL


class PylockLambdaLayerContainerBuilder(ToolLambdaLayerContainerBuilder):
    """Builds the layer of a PEP 751 lock; what has no wheel is built in a container."""

    tool = TOOL
