"""The bill of materials of this library: what its wheel requires, at the versions that it is tested with.

A CycloneDX 1.6 document in JSON (ECMA-424). It depends only on its two inputs, the wheel and
``requirements/dev.txt``: the latter pins every package for every platform, and says behind ``# via`` which
packages require it.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.metadata import Metadata
from packaging.utils import canonicalize_name

from lbdart_cdk.core.keys import sha256_of

_PIN: Final = re.compile(r"(?P<name>[\w.-]+)(\[[^]]*\])?==(?P<version>[^\s;\\]+)(\s*;\s*(?P<marker>[^\\]+))?")
_VIA: Final = re.compile(r"\s+#(?: via|  ) (?P<name>[\w.-]+)")
_LINKS: Final = {
    "Documentation": ExternalReferenceType.DOCUMENTATION,
    "Homepage": ExternalReferenceType.WEBSITE,
    "Issues": ExternalReferenceType.ISSUE_TRACKER,
    "Source": ExternalReferenceType.VCS,
}


@dataclass(frozen=True, slots=True)
class Pin:
    """A package of ``requirements/dev.txt``.

    :param marker: where it is installed, and empty for everywhere.
    :param required_by: the packages that require it.
    """

    name: str
    version: str
    marker: str
    required_by: frozenset[str]


def pins(requirements: str) -> Iterator[Pin]:
    """Yield the packages of a requirements file as ``uv pip compile`` writes it."""
    blocks = re.split(r"^(?=\S)", requirements, flags=re.MULTILINE)
    for block in blocks:
        first, *others = block.splitlines() or [""]
        pin = _PIN.match(first)
        if pin is not None:
            required_by = frozenset(canonicalize_name(via["name"]) for via in map(_VIA.match, others) if via)
            marker = (pin["marker"] or "").strip()
            yield Pin(canonicalize_name(pin["name"]), pin["version"], marker, required_by)


def required(roots: Iterable[str], known: Iterable[Pin]) -> list[Pin]:
    """Return the packages that are named, and all that these require."""
    known, names = list(known), set(roots)
    while more := {pin.name for pin in known if pin.required_by & names} - names:
        names |= more
    return sorted((pin for pin in known if pin.name in names), key=lambda pin: (pin.name, pin.version))


def metadata(wheel: Path) -> Metadata:
    """Return the checked metadata in a wheel (PyPA core metadata)."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name))


def requirements_of(described: Metadata) -> list[str]:
    """Return the names of the packages that a wheel requires without its extras."""
    found = described.requires_dist or []
    return [
        canonicalize_name(each.name)
        for each in found
        if each.marker is None or "extra" not in str(each.marker)
    ]


def render(wheel: Path, requirements: str) -> str:
    """Return the bill of materials of a wheel.

    :param requirements: the content of ``requirements/dev.txt``.
    """
    described, sha256 = metadata(wheel), sha256_of(wheel)
    roots = requirements_of(described)
    packages = {f"{pin.name}@{pin.version}": pin for pin in required(roots, pins(requirements))}
    components = {ref: _component(ref, pin) for ref, pin in packages.items()}
    root = Component(
        name=described.name,
        version=str(described.version),
        description=described.summary,
        type=ComponentType.LIBRARY,
        bom_ref=wheel.name,
        purl=PackageURL("pypi", None, canonicalize_name(described.name), str(described.version)),
        licenses=[LicenseFactory().make_from_string(str(described.license_expression))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
        external_references=_links(described),
    )
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, f"lbdart:{sha256}"))
    bom.metadata.component = root
    bom.metadata.timestamp = None  # type: ignore[assignment]  # optional in the format, required by the library
    bom.components.update(components.values())
    bom.register_dependency(root, [components[ref] for ref, pin in packages.items() if pin.name in roots])
    for ref, component in components.items():
        name = packages[ref].name
        below = [components[other] for other, pin in packages.items() if name in pin.required_by]
        bom.register_dependency(component, below)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(ref: str, pin: Pin) -> Component:
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=ref,
        purl=PackageURL("pypi", None, pin.name, pin.version),
        scope=ComponentScope.OPTIONAL if pin.marker else ComponentScope.REQUIRED,
    )


def _links(described: Metadata) -> list[ExternalReference]:
    return [
        ExternalReference(type=_LINKS[label], url=XsUri(url))
        for label, url in (described.project_urls or {}).items()
        if label in _LINKS
    ]
