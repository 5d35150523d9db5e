"""What a lock names, read without its project and its tool, under any name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.reports.locked import lock_inventory

SHA = "ab" * 32
COMMIT = "c0ffee" * 6 + "c0de"

UV = f"""
version = 1
[[package]]
name = "Alpha_One"
version = "1.0"
source = {{ registry = "https://host.invalid/simple" }}
sdist = {{ url = "https://host.invalid/{"9" * 60}/alpha.tar.gz", hash = "sha256:{SHA}", size = 1 }}
dependencies = [{{ name = "beta", source = {{ git = "https://host.invalid/beta#{COMMIT}" }} }}]
[[package]]
name = "beta"
version = "2.0"
source = {{ git = "https://host.invalid/beta#{COMMIT}" }}
"""
POETRY = f"""
[[package]]
name = "alpha-one"
version = "1.0"
files = [{{ file = "alpha.whl", hash = "sha256:{SHA}" }}]
[[package]]
name = "beta"
version = "2.0"
[package.source]
type = "git"
url = "https://host.invalid/beta"
resolved_reference = "{COMMIT}"
[metadata]
lock-version = "2.1"
content-hash = "{"0" * 64}"
"""
PYLOCK = f"""
lock-version = "1.0"
created-by = "tests"
[[packages]]
name = "alpha-one"
version = "1.0"
wheels = [{{ url = "https://host.invalid/a.whl", hashes = {{ sha256 = "{SHA}" }} }}]
[[packages]]
name = "beta"
version = "2.0"
vcs = {{ type = "git", url = "https://host.invalid/beta", commit-id = "{COMMIT}" }}
"""


@pytest.mark.parametrize("text", [UV, POETRY, PYLOCK])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_lock_in_toml_is_read_under_any_name(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "before.txt"
    path.write_bytes(text.encode(encoding))
    alpha, beta = lock_inventory(path).packages
    assert (alpha.name, alpha.version, set(alpha.pins)) == ("alpha-one", "1.0", {SHA})
    assert (beta.name, beta.version, set(beta.pins)) == ("beta", "2.0", {COMMIT})


def test_a_package_that_is_locked_twice_has_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "uv.lock"
    path.write_text(
        'version = 1\n[[package]]\nname = "a"\nversion = "10"\n[[package]]\nname = "a"\nversion = "9"\n'
    )
    assert lock_inventory(path).by_name["a"].version == "9, 10"


def test_a_requirements_file_is_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("delta===4.0\n-r all.txt\n")
    path = tmp_path / "all.txt"
    path.write_text(
        "--index-url https://host.invalid/simple\n"
        "# a comment\n"
        "Alpha[fast]==1.0 ; python_version >= '3' \\\n"
        f"    --hash=sha256:{SHA.upper()} \\\n    --hash=sha256:{'0' * 64}\n"
        "    # via somebody\n"
        "beta>=2  # any of these\n"
        "-r more.txt\n-c limits.txt\n"
        "./wheels/epsilon-5.0-py3-none-any.whl\n"
        "-e .\n"
        "git+https://host.invalid/zeta@main#egg=Zeta\n"
        "eta @ https://host.invalid/eta-7.0-py3-none-any.whl\n"
    )
    inventory = lock_inventory(path)
    assert {package.name: package.version for package in inventory.packages} == {
        "alpha": "1.0",
        "beta": "",
        "delta": "4.0",
        "epsilon": "5.0",
        "eta": "7.0",
        "zeta": "",
    }
    assert inventory.by_name["alpha"].pins == {SHA, "0" * 64}


def test_a_lock_without_packages_is_a_lock(tmp_path: Path) -> None:
    for text in ("version = 1\nrevision = 3\n", "", "# nothing\n", 'lock-version = "1.0"\npackages = []\n'):
        path = tmp_path / "some.lock"
        path.write_text(text)
        assert lock_inventory(path).packages == ()


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname = 'orders'\n",
        "This is a letter.\n",
        "[[package]]\nversion = '1'\n",
        "package = [1]\n",
    ],
)
def test_another_file_is_no_lock(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(LbdartError, match=r"notes\.txt is (no|not a valid) lock"):
        lock_inventory(path)


def test_a_file_that_is_included_and_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("-r base.txt\n")
    with pytest.raises(LbdartError, match=r"base\.txt cannot be read"):
        lock_inventory(path)
