"""Reads a bill of materials as an inventory.

Source: *CycloneDX* (ECMA-424), the form in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from ..errors import LbdartError, explained, in_one_line
from ..project.toml import decoded
from .inventory import Found, Inventory, gathered, printable

#: The types of components that can be packages.
_PACKAGES: Final = frozenset({"library", "framework", "application"})


def sbom_inventory(content: bytes, what: str) -> Inventory:
    """Return the Python packages that a CycloneDX document in JSON names.

    :param what: names the document.
    :raises LbdartError: when it is another document.
    """
    with explained(
        lambda error: LbdartError(
            f"{what} is not a bill of materials: {in_one_line(error)}.",
            "Pass a CycloneDX document in JSON, as a layer has it beside its manifest.",
        ),
        *(AttributeError, KeyError, RecursionError, TypeError, ValueError),
    ):
        document = json.loads(decoded(content))
        if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
            raise ValueError("it has no bomFormat CycloneDX")
        return Inventory(what, "sbom", gathered(_packages(document.get("components", []))))


def _packages(components: list[Mapping[str, Any]]) -> Iterator[Found]:
    for component in components:
        purl = component.get("purl", "")
        if component.get("type") in _PACKAGES and (not purl or purl.startswith("pkg:pypi/")):
            hashes = [str(digest["content"]) for digest in component.get("hashes", [])]
            name = canonicalize_name(printable(unquote(component["name"])))
            yield name, printable(str(component.get("version", ""))), hashes
        yield from _packages(component.get("components", []))
