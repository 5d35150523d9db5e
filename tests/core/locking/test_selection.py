"""From a lock for every platform, the one file of each package that loads on the target."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.commit import Commit
from lbdart_cdk.core.locking.default_list import DEFAULT_EXCLUDE
from lbdart_cdk.core.locking.lock import Lock
from lbdart_cdk.core.locking.select import select
from lbdart_cdk.core.locking.selection import LocalPackage
from lbdart_cdk.core.project.target import Target
from tests.support.locks import GIT, SDIST, lock_of, locked

X86 = Target((3, 13))
ARM = Target((3, 13), "arm64")


def anywhere(name: str) -> str:
    return locked(name, wheels=[f"{name.replace('-', '_')}-1.0-py3-none-any.whl"])


def chosen(lock: Lock, target: Target = X86, exclude: tuple[str, ...] = ()) -> list[str]:
    return [wheel.package for wheel in select(lock, target, exclude).wheels]


@pytest.mark.parametrize(
    ("target", "wheel"),
    [
        (Target((3, 13)), "cp313-cp313-manylinux_2_28_x86_64"),
        (Target((3, 13), "arm64"), "cp313-cp313-manylinux_2_28_aarch64"),
        (Target((3, 12)), "cp39-abi3-manylinux_2_17_x86_64"),
        (Target((3, 11)), "cp39-abi3-manylinux_2_17_x86_64"),
        (Target((3, 11), "arm64"), "py3-none-any"),
    ],
)
def test_each_target_gets_its_own_wheel(target: Target, wheel: str) -> None:
    tags = [
        "py3-none-any",
        "cp39-abi3-manylinux_2_17_x86_64",
        "cp313-cp313-manylinux_2_28_x86_64",
        "cp313-cp313-manylinux_2_28_aarch64",
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp313-cp313-macosx_11_0_arm64",
        "cp313-cp313-win_amd64",
    ]
    lock = lock_of(locked("alpha", wheels=[f"alpha-1.0-{tag}.whl" for tag in tags]))
    assert [found.filename for found in select(lock, target).wheels] == [f"alpha-1.0-{wheel}.whl"]


@pytest.mark.parametrize(
    ("wheels", "wheel"),
    [
        (["1-py3-none-any", "10-py3-none-any", "2-py3-none-any", "py3-none-any"], "10-py3-none-any"),
        (["10-py3-none-any", "10a-py3-none-any", "9z-py3-none-any"], "10a-py3-none-any"),
        (["py3-none-any", "0-py3-none-any"], "0-py3-none-any"),
        (["cp313-cp313-manylinux_2_17_x86_64", "9-py3-none-any"], "cp313-cp313-manylinux_2_17_x86_64"),
        (
            ["7-cp39-abi3-manylinux_2_17_x86_64", "1-cp313-cp313-manylinux_2_17_x86_64"],
            "1-cp313-cp313-manylinux_2_17_x86_64",
        ),
    ],
)
def test_of_equal_tags_the_newest_build_is_chosen(wheels: list[str], wheel: str) -> None:
    for order in (wheels, wheels[::-1]):
        lock = lock_of(locked("alpha", wheels=[f"alpha-1.0-{name}.whl" for name in order]))
        assert [found.filename for found in select(lock, X86).wheels] == [f"alpha-1.0-{wheel}.whl"]


def test_a_package_whose_marker_does_not_hold_there_is_not_chosen() -> None:
    lock = lock_of(
        locked("on-windows", wheels=["on_windows-1.0-py3-none-any.whl"], marker="sys_platform == 'win32'"),
        locked("on-arm", wheels=["on_arm-1.0-py3-none-any.whl"], marker="platform_machine == 'aarch64'"),
        locked("on-old", wheels=["on_old-1.0-py3-none-any.whl"], marker="python_version < '3.13'"),
        anywhere("alpha"),
    )
    assert chosen(lock, X86) == ["alpha"]
    assert chosen(lock, ARM) == ["alpha", "on-arm"]
    assert chosen(lock, Target((3, 12))) == ["alpha", "on-old"]


def test_the_order_of_the_lock_does_not_show() -> None:
    names = ["gamma", "alpha", "beta"]
    assert chosen(lock_of(*map(anywhere, names))) == sorted(names)


def test_extras_and_groups_that_the_tool_left_open_are_selected() -> None:
    markers = {"beta": "'fast' in extras", "gamma": "'ops' in dependency_groups"}
    content = lock_of(
        *(locked(name, wheels=[f"{name}-1.0-py3-none-any.whl"], marker=m) for name, m in markers.items()),
        head='extras = ["fast"]\ndependency-groups = ["ops"]\n',
    ).content
    here = Path("/project")
    assert chosen(Lock(content, here, here)) == []
    assert chosen(Lock(content, here, here, extras=("fast",))) == ["beta"]
    assert chosen(Lock(content, here, here, groups=("ops",))) == ["gamma"]


def test_a_wheel_is_named_with_all_that_a_download_needs() -> None:
    table = (
        '[[packages]]\nname = "alpha"\nversion = "1.0"\n'
        'wheels = [{ url = "https://host.invalid/x/alpha-1.0-py3-none-any.whl", size = 7, '
        f'hashes = {{ sha256 = "{"AB" * 32}" }} }}]\n'
    )
    (wheel,) = select(lock_of(table), X86).wheels
    assert (wheel.filename, wheel.sha256, wheel.size) == ("alpha-1.0-py3-none-any.whl", "ab" * 32, 7)
    assert wheel.source == "https://host.invalid/x/alpha-1.0-py3-none-any.whl"


def test_a_path_in_the_lock_starts_from_the_lock() -> None:
    hashes = f'hashes = {{ sha256 = "{"0" * 64}" }}'
    wheel = "alpha-1.0-py3-none-any.whl"
    lock = lock_of(
        locked("alpha", source=f'wheels = [{{ path = "vendor/{wheel}", {hashes} }}]\n'),
        locked("beta", source=f'archive = {{ path = "vendor/beta-1.0-py3-none-any.whl", {hashes} }}\n'),
        locked("lib", source='directory = { path = "../shared" }\n'),
    )
    selection = select(lock, X86)
    assert [wheel.source for wheel in selection.wheels] == [
        Path("/project/vendor", wheel),
        Path("/project/vendor/beta-1.0-py3-none-any.whl"),
    ]
    assert selection.local == (LocalPackage(selection.local[0].package, Path("/shared")),)


def test_a_wheel_at_a_direct_url_is_told_by_its_name() -> None:
    hashes = f'hashes = {{ sha256 = "{"0" * 64}" }}'
    url = "https://host.invalid/alpha-1.0%2Blocal-py3-none-any.whl?token=x#fragment"
    lock = lock_of(locked("alpha", source=f'archive = {{ url = "{url}", {hashes} }}\n'))
    assert select(lock, X86).wheels[0].filename == "alpha-1.0+local-py3-none-any.whl"


@pytest.mark.parametrize(
    "content",
    [
        'created-by = "x"\npackages = []\n',
        'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "alpha"\n',
        'lock-version = "99.0"\ncreated-by = "x"\npackages = []\n',
    ],
)
def test_what_is_no_lock_is_refused_by_the_name_of_its_manifest(content: str) -> None:
    lock = Lock(tomllib.loads(content), Path("/project/uv.lock"), Path("/project"))
    with pytest.raises(LbdartError, match=r"^/project/uv\.lock is not a valid lock: .*\n.*again"):
        select(lock, X86)


def test_default_groups_are_selected_beside_those_asked_for() -> None:
    content = lock_of(
        *(
            locked(name, wheels=[f"{name}-1.0-py3-none-any.whl"], marker=f"'{group}' in dependency_groups")
            for name, group in {"alpha": "default", "beta": "Ops", "gamma": "dev"}.items()
        ),
        head='dependency-groups = ["dev", "Ops"]\ndefault-groups = ["default"]\n',
    ).content
    here = Path("/project")
    assert chosen(Lock(content, here, here)) == ["alpha"]
    assert chosen(Lock(content, here, here, groups=("ops",))) == ["alpha", "beta"]


def test_extras_and_groups_that_the_lock_lacks() -> None:
    head = 'extras = ["fast", "all"]\n'
    lock = lock_of(anywhere("alpha"), head=head)
    with pytest.raises(LbdartError) as error:
        select(replace(lock, extras=("fast", "slow")), X86)
    assert error.value.problem == "/project/uv.lock has no extras named slow."
    assert error.value.remedy == "Its extras are: all, fast."
    with pytest.raises(LbdartError, match=r"no groups named ops\.\nIts groups are: none\."):
        select(replace(lock, groups=("ops",)), X86)


@pytest.mark.parametrize(
    "source",
    [
        SDIST,
        SDIST.replace("sdist", "archive"),
        *(
            SDIST.replace("sdist", "archive").replace(".tar.gz", suffix)
            for suffix in (".tgz", ".zip", ".tar.xz")
        ),
    ],
)
@pytest.mark.parametrize("wheels", [[], ["alpha-1.0-py2-none-any.whl"]])
def test_a_source_distribution_is_chosen_where_no_wheel_shows_that_it_compiles(
    source: str, wheels: list[str]
) -> None:
    table = locked("alpha", wheels=wheels if source == SDIST else [], source=source)
    selection = select(lock_of(table), X86)
    assert [sdist.filename for sdist in selection.sdists] == [source.split("/")[3].split('"', maxsplit=1)[0]]
    assert (selection.wheels, selection.packages) == ((), ("alpha",))


def test_one_that_compiles_is_chosen_where_it_may() -> None:
    """What shows that it compiles are wheels, of which none loads."""
    wheel = "alpha-1.0-cp313-cp313-win_amd64.whl"
    lock = lock_of(locked("alpha", wheels=[wheel], source=SDIST))
    selection = select(lock, X86, may_compile=True)
    assert [sdist.filename for sdist in selection.sdists] == ["alpha-1.0.tar.gz"]
    assert selection.compiling == {"alpha"}
    assert select(lock_of(locked("alpha", source=SDIST)), X86, may_compile=True).compiling == set()


def test_a_wheel_that_loads_is_chosen_before_a_source_distribution() -> None:
    wheel = "alpha-1.0-cp313-cp313-manylinux_2_17_x86_64.whl"
    selection = select(lock_of(locked("alpha", wheels=[wheel], source=SDIST)), X86, may_compile=True)
    assert [locked.filename for locked in selection.wheels] == [wheel]
    assert not selection.sdists
    assert not selection.compiling


class TestExcluded:
    """Excluded packages are dropped by name, before anything is downloaded."""

    def test_what_lambda_brings_or_never_needs_is_left_out_and_named(self) -> None:
        selection = select(lock_of(*map(anywhere, ["alpha", "boto3", "botocore", "pytest"])), X86)
        assert [wheel.package for wheel in selection.wheels] == ["alpha"]
        assert selection.left_out == ("boto3", "botocore", "pytest")

    def test_the_default_list_is_the_specifications(self) -> None:
        assert set(DEFAULT_EXCLUDE) == {
            "boto3", "botocore", "s3transfer", "urllib3", "setuptools", "pip", "wheel", "twine", "_pytest",
            "pytest",
        }  # fmt: skip

    def test_urllib3_stays_when_requests_is_kept(self) -> None:
        lock = lock_of(
            *map(anywhere, ["requests", "urllib3", "boto3", "botocore"]),
            requires={
                "requests": ["urllib3"],
                "boto3": ["botocore"],
                "botocore": ["urllib3"],
            },
        )
        assert chosen(lock) == ["requests", "urllib3"]
        assert select(lock, X86).left_out == ("boto3", "botocore")

    def test_urllib3_stays_when_nobody_knows_who_requires_it(self) -> None:
        lock = replace(lock_of(*map(anywhere, ["requests", "urllib3"])), requires=None)
        assert chosen(lock) == ["requests", "urllib3"]
        assert chosen(lock, exclude=("urllib3",)) == ["requests"]

    def test_urllib3_goes_when_only_excluded_packages_require_it(self) -> None:
        lock = lock_of(*map(anywhere, ["alpha", "urllib3", "botocore"]), requires={"botocore": ["urllib3"]})
        assert chosen(lock) == ["alpha"]

    def test_what_a_kept_package_requires_stays_with_all_it_requires(self) -> None:
        lock = lock_of(
            *map(anywhere, ["toolbox", "boto3", "botocore", "s3transfer", "urllib3"]),
            requires={
                "toolbox": ["boto3"],
                "boto3": ["botocore", "s3transfer"],
                "botocore": ["urllib3"],
            },
        )
        assert len(chosen(lock)) == 5

    def test_the_users_own_exclusion_always_holds(self) -> None:
        lock = lock_of(*map(anywhere, ["requests", "urllib3"]), requires={"requests": ["urllib3"]})
        assert chosen(lock, exclude=("urllib3",)) == ["requests"]
        assert select(lock, X86, ["urllib3"]).left_out == ("urllib3",)

    def test_a_requirement_whose_marker_does_not_hold_there_keeps_nothing(self) -> None:
        lock = lock_of(
            *map(anywhere, ["requests", "urllib3"]),
            requires={"requests": ["urllib3; sys_platform == 'win32'"]},
        )
        assert chosen(lock) == ["requests"]

    @pytest.mark.parametrize("name", ["My-Lib", "my_lib", "my.lib", "MY-LIB"])
    def test_names_are_normalised(self, name: str) -> None:
        assert chosen(lock_of(anywhere("my-lib"), anywhere("alpha")), exclude=(name,)) == ["alpha"]

    @pytest.mark.parametrize("name", ["boto3-stubs", "pytest-mock", "wheel-inspect", "my-pip"])
    def test_names_are_exact(self, name: str) -> None:
        assert chosen(lock_of(anywhere(name))) == [name]

    def test_an_excluded_package_need_not_load_there(self) -> None:
        lock = lock_of(anywhere("alpha"), locked("native", wheels=["native-1.0-cp313-cp313-win_amd64.whl"]))
        assert chosen(lock, exclude=("native",)) == ["alpha"]


class TestCommits:
    """A package of a repository is a commit and a directory in it."""

    def test_it_is_built_from_its_commit(self) -> None:
        source = GIT.replace(" }", ', requested-revision = "main", subdirectory = "libs/alpha" }')
        (found,) = select(lock_of(locked("alpha", source=source)), X86).commits
        assert (found.package, found.subdirectory) == ("alpha", "libs/alpha")
        assert found.commit == Commit("alpha", "https://host.invalid/alpha", "a" * 40)

    def test_a_repository_at_a_path_beside_the_lock(self) -> None:
        source = GIT.replace("url", "path").replace("https://host.invalid/alpha", "../nowhere/lib")
        (found,) = select(lock_of(locked("alpha", source=source)), X86).commits
        assert found.commit.url == "file:///nowhere/lib"


class TestNoWheel:
    """What cannot load there is refused with the package, its tags, the target and what to do."""

    def refusal(self, *packages: str, target: Target = X86, head: str = "") -> LbdartError:
        with pytest.raises(LbdartError) as error:
            select(lock_of(*packages, head=head), target)
        return error.value

    def test_the_message_has_everything(self) -> None:
        wheels = [
            f"numpy-2.4.0-cp313-cp313-manylinux_2_27_{machine}.whl" for machine in ("x86_64", "aarch64")
        ]
        error = self.refusal(locked("numpy", "2.4.0", wheels=wheels), target=Target((3, 11)))
        assert error.problem == (
            "No wheel loads on python3.11 on x86_64 (glibc 2.26) for numpy 2.4.0 "
            "(its wheels are cp313-cp313-manylinux_2_27_x86_64, cp313-cp313-manylinux_2_27_aarch64)."
        )
        assert "another" not in error.problem
        assert "exclude=" in error.remedy

    def test_all_such_packages_are_in_one_message(self) -> None:
        error = self.refusal(
            locked("alpha", wheels=["alpha-1.0-cp313-cp313-win_amd64.whl"]),
            locked("beta", wheels=["beta-1.0-cp313-cp313-musllinux_1_2_x86_64.whl"]),
            anywhere("gamma"),
        )
        assert "alpha 1.0 (" in error.problem
        assert "beta 1.0 (" in error.problem
        assert "gamma" not in error.problem

    def test_packages_that_are_for_another_platform_are_not_in_it(self) -> None:
        error = self.refusal(
            locked("alpha", wheels=["alpha-1.0-cp313-cp313-win_amd64.whl"]),
            locked(
                "pywin32", wheels=["pywin32-1.0-cp313-cp313-win_amd64.whl"], marker="sys_platform == 'win32'"
            ),
        )
        assert "alpha" in error.problem
        assert "pywin32" not in error.problem

    def test_a_source_distribution_of_what_compiles_is_a_way_out_when_it_is_allowed(self) -> None:
        wheel = "alpha-1.0-cp313-cp313-win_amd64.whl"
        error = self.refusal(locked("alpha", wheels=[wheel], source=SDIST))
        assert wheel[10:-4] in error.problem
        assert "build it from its source with build_in_container=True" in error.remedy

    def test_it_is_none_when_a_package_has_no_source(self) -> None:
        wheels = ["alpha-1.0-cp313-cp313-win_amd64.whl"]
        packages = [
            locked("alpha", wheels=wheels, source=SDIST),
            locked("beta", wheels=["beta" + wheels[0][5:]]),
        ]
        assert "build_in_container" not in self.refusal(*packages).remedy
        with pytest.raises(LbdartError, match=r"for beta 1\.0 \(its wheels") as error:
            select(lock_of(*packages), X86, may_compile=True)
        assert "alpha" not in error.value.problem

    def test_an_archive_of_no_known_form(self) -> None:
        source = SDIST.replace("sdist", "archive").replace(".tar.gz", ".rar")
        assert "no source distribution" in self.refusal(locked("alpha", source=source)).problem

    def test_hundreds_of_tags_are_not_listed(self) -> None:
        wheels = [f"alpha-1.0-cp313-cp313-musllinux_1_{minor}_x86_64.whl" for minor in range(300)]
        error = self.refusal(locked("alpha", wheels=wheels))
        assert error.problem.endswith("and 296 more).")

    def test_a_repository_of_another_kind_than_git(self) -> None:
        error = self.refusal(locked("alpha", source=GIT.replace('"git"', '"hg"')))
        assert error.problem.startswith("alpha comes from a repository of type hg, and only git")
        assert error.remedy.startswith("Depend on a released version")

    def test_a_lock_that_does_not_cover_the_target(self) -> None:
        error = self.refusal(anywhere("alpha"), target=Target((3, 11)), head='requires-python = ">=3.12"')
        assert error.problem.startswith("The lock does not cover python3.11 on x86_64")
        assert ">=3.12" in error.problem
        assert "Lock again for this Python" in error.remedy

    def test_a_file_without_a_hash_is_not_taken(self) -> None:
        source = (
            'wheels = [{ url = "https://host.invalid/alpha-1.0-py3-none-any.whl", hashes = { md5 = "0" } }]\n'
        )
        error = self.refusal(locked("alpha", source=source))
        assert error.problem == "The lock has no sha256 for alpha-1.0-py3-none-any.whl."

    def test_a_file_that_is_no_wheel(self) -> None:
        hashes = f'hashes = {{ sha256 = "{"0" * 64}" }}'
        source = f'wheels = [{{ url = "https://host.invalid/alpha.whl", {hashes} }}]\n'
        with pytest.raises(LbdartError, match="alpha"):
            select(lock_of(locked("alpha", source=source)), X86)
