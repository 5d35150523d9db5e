"""The bill of materials of a layer (SBOM): each package with the hash that its file has in the lock.

It is a CycloneDX 1.6 document in JSON (ECMA-424). It depends only on the build: its serial number comes from
the build key, and it has no timestamp.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from ..archive.entry import Entry
from ..archive.reader import usable
from ..wheels.metadata import dist_info
from ..wheels.supply import Wheel
from .inputs import BuildInputs

#: The names of properties start with this.
_INPUT: Final = "lbdart:"
_FILE: Final = f"{_INPUT}file"
_IDENTITY: Final = f"{_INPUT}identity"
#: The input that has the names of variables.
_VARIABLES: Final = "environment"
#: The start of the inputs that are packages which nothing in the layer requires, as only wheels tell.
_LEFT_OUT: Final = "left-out:"
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


def render(layer: str, build_key: str, packages: Collection[dict[str, str]], inputs: BuildInputs) -> str:
    """Return the SBOM as JSON.

    The inputs of the build are properties of it: each value by its name, and of variables the names alone,
    because this is published. A package has its input as a property if that is not the hash of its file.

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
        more: dict[str, Any] = {"properties": []}
        if filename:
            more["purl"] = PackageURL("pypi", None, name, version or None)
            more["properties"].append(Property(name=_FILE, value=filename))
        if (identity := inputs.packages.get(name, package["sha256"])) != package["sha256"]:
            more["properties"].append(Property(name=_IDENTITY, value=identity))
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
    values = {**inputs.values, **({_VARIABLES: ", ".join(inputs.environment)} if inputs.environment else {})}
    left_out = inputs.packages.keys() - {package["name"] for package in packages}
    values |= {f"{_LEFT_OUT}{name}": inputs.packages[name] for name in left_out}
    bom.metadata.properties.update(
        Property(name=f"{_INPUT}{name}", value=value) for name, value in values.items()
    )
    bom.metadata.timestamp = None  # type: ignore[assignment]  # optional in the format, required by the library
    components = [component(package) for package in packages]
    bom.components.update(components)
    bom.register_dependency(root, components)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def inputs_in(sbom: bytes) -> BuildInputs:
    """Return the inputs of a build as an SBOM has them. One of an earlier release has only the packages.

    :raises ValueError: when it is no SBOM of this library.
    """
    try:
        bom = json.loads(sbom)
        values = {
            name.removeprefix(_INPUT): value
            for name, value in _properties(bom["metadata"]).items()
            if name.startswith(_INPUT)
        }
        packages, versions = {}, {}
        for component in bom.get("components", ()):
            name, known = component["name"], _properties(component)
            versions[name] = component.get("version", "")
            (sha256,) = (each["content"] for each in component["hashes"] if each["alg"] == "SHA-256")
            # Without a file it is the hash of a wheel, which the key need not be over.
            is_known = bool(values) or _FILE in known
            packages[name] = known.get(_IDENTITY, sha256 if is_known else "")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no SBOM of a layer: {error}") from error
    for name in [name for name in values if name.startswith(_LEFT_OUT)]:
        packages[name.removeprefix(_LEFT_OUT)] = values.pop(name)
    variables = values.pop(_VARIABLES, "")
    environment = dict.fromkeys(variables.split(", "), "") if variables else {}
    return BuildInputs("layer", values, packages, environment, versions)


def _properties(table: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in table.get("properties", ())}
