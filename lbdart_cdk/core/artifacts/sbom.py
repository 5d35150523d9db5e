"""The bill of materials of a layer (SBOM): each package with the hash that its file has in the lock.

It is a CycloneDX 1.6 document in JSON (ECMA-424). It depends only on the build: its serial number comes from
the build key, and it has no timestamp.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from ..archive.entry import Entry
from ..archive.reader import usable
from ..wheels.metadata import dist_info
from ..wheels.supply import Wheel

#: A longer text is the licence itself and not the name of a licence.
_LONGEST_NAME: Final = 100


def described(wheel: Wheel, entries: Iterable[Entry]) -> dict[str, str]:
    """Return the values of a package in the SBOM.

    :param entries: the files of the wheel.
    """
    with usable(wheel.package):
        info = dist_info(entries)
        version, licence = info.version, info.licence
    if len(licence) > _LONGEST_NAME or "\n" in licence or licence.upper() == "UNKNOWN":
        licence = ""
    return {
        "name": wheel.package,
        "version": version,
        "license": licence,
        "filename": wheel.filename,
        "sha256": wheel.sha256,
    }


def without(sbom: bytes, names: Collection[str]) -> bytes:
    """Return an SBOM without some packages."""
    bom = json.loads(sbom)
    bom["components"] = [each for each in bom.get("components", ()) if each["name"] not in names]
    bom["dependencies"] = [row for row in bom.get("dependencies", ()) if row["ref"] not in names]
    for row in bom["dependencies"]:
        if "dependsOn" in row:
            row["dependsOn"] = [ref for ref in row["dependsOn"] if ref not in names]
    return f"{json.dumps(bom, indent=2)}\n".encode()


def render(layer: str, build_key: str, packages: Collection[dict[str, str]]) -> str:
    """Return the SBOM as JSON.

    :param layer: the name of the project.
    :param packages: the values of each package, as :func:`described` returns them.
    """
    # Imported here, because only code that makes an SBOM needs the library.
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    licences = LicenseFactory()

    def component(package: dict[str, str]) -> Component:
        name, version, filename = package["name"], package["version"], package["filename"]
        more: dict[str, Any] = {}
        if filename:
            more["purl"] = PackageURL("pypi", None, name, version or None)
            more["properties"] = [Property(name="lbdart:file", value=filename)]
        if package["license"]:
            more["licenses"] = [licences.make_from_string(package["license"])]
        return Component(
            name=name,
            version=version or None,
            type=ComponentType.LIBRARY,
            bom_ref=name,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package["sha256"])],
            **more,
        )

    root = Component(name=layer, type=ComponentType.LIBRARY, bom_ref=f"layer:{build_key}", version=build_key)
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, f"lbdart:{build_key}"))
    bom.metadata.component = root
    bom.metadata.timestamp = None  # type: ignore[assignment]  # optional in the format, required by the library
    components = [component(package) for package in packages]
    bom.components.update(components)
    bom.register_dependency(root, components)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
