"""The packages that a bill of materials names."""

from __future__ import annotations

import json

import pytest

from lbdart_cdk.core.artifacts.inputs import BuildInputs
from lbdart_cdk.core.artifacts.sbom import render
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.reports.bill import sbom_inventory


def test_our_own_is_read() -> None:
    values = {"name": "alpha", "version": "1.0", "license": "MIT", "filename": "a.whl", "sha256": "ab" * 32}
    inventory = sbom_inventory(
        render("orders", "0" * 64, [values], BuildInputs("layer", {})).encode(), "bom.json"
    )
    (alpha,) = inventory.packages
    assert (alpha.name, alpha.version, set(alpha.pins)) == ("alpha", "1.0", {"ab" * 32})


def test_of_anothers_it_takes_the_python_packages_wherever_they_are() -> None:
    components = [
        {"type": "library", "name": "Foo_Bar", "version": "2", "purl": "pkg:pypi/foo-bar@2"},
        {"type": "library", "name": "left-pad", "version": "1", "purl": "pkg:npm/left-pad@1"},
        {"type": "file", "name": "app.py"},
        {"type": "application", "name": "app", "components": [{"type": "library", "name": "inner"}]},
    ]
    document = json.dumps({"bomFormat": "CycloneDX", "components": components})
    inventory = sbom_inventory(document.encode(), "bom.json")
    assert [(package.name, package.version) for package in inventory.packages] == [
        ("app", ""),
        ("foo-bar", "2"),
        ("inner", ""),
    ]


@pytest.mark.parametrize(
    "text", ["{", '{"spdxVersion": "SPDX-2.3"}', "[]", '{"bomFormat": "CycloneDX", "components": [1]}']
)
def test_another_document_is_refused(text: str) -> None:
    with pytest.raises(LbdartError, match=r"bom\.json is not a bill of materials"):
        sbom_inventory(text.encode(), "bom.json")
