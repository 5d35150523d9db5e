"""Two apps with one layer name in one account and Region, each with its history in a folder of its own.

Neither knows of the other. What one uses, the other must never prune or delete.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing import publish as publish_module
from lbdart_cdk.core.publishing.layer_upload import upload_layer
from lbdart_cdk.core.publishing.manifest import LayerManifest, md5_of
from lbdart_cdk.core.publishing.publish import LayerPublisher
from lbdart_cdk.core.publishing.removal import remove_layer_versions
from tests.support.layers import layer_zip

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.conftest import FakeAws


class App:
    """An app that deploys the layer ``deps`` by the letters of its builds."""

    def __init__(self, aws: FakeAws, folder: Path, s3dir: str, is_first: bool = False) -> None:
        self.aws, self.s3dir = aws, s3dir
        self.is_first = is_first
        self._folder = folder

    def publisher(self, build: str, **changes: Any) -> LayerPublisher:
        lock = f"lock of {build}".encode()
        publisher = LayerPublisher(
            s3_client=self.aws.s3,
            lambda_client=self.aws.lambda_,
            layer_name="deps",
            s3dir_lambda=self.s3dir,
            build_key=key(build),
            manifest=LayerManifest("uv.lock", md5_of(lock), lock),
            sbom=b"{}",
            owner=self.s3dir,
            verbose=False,
        )
        return replace(publisher, **changes)

    def deploy(self, build: str, keep: int | None = None, before: str = "") -> int:
        needed = key(before) if before else ""
        publisher = self.publisher(build, keep_versions=keep, needed_build_key=needed)
        path = self._folder / "layer.zip"
        path.write_bytes(layer_zip(build, publisher.build_key))

        def upload() -> Any:
            arguments = (publisher.manifest, publisher.build_key)
            return upload_layer(self.aws.s3, self.s3dir, path, *arguments, owner=self.s3dir, sbom=b"{}")

        return publisher.run(upload, is_first=self.is_first).layer_version

    def destroy(self) -> None:
        remove_layer_versions(self.aws.s3, self.aws.lambda_, "deps", self.s3dir, self.s3dir)

    @property
    def versions(self) -> set[int]:
        return set(self.aws.descriptions("deps"))


def key(build: str) -> str:
    return build.encode().hex().rjust(64, "0")


@pytest.fixture(params=[False, True], ids=["", "expecting no claim"])
def one(aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> App:
    monkeypatch.setattr(publish_module, "sleep", lambda _: None)
    return App(aws, tmp_path, "s3://artifacts/deps", request.param)


@pytest.fixture(params=["s3://plain/deps", "s3://artifacts/other"])
def two(aws: FakeAws, tmp_path: Path, request: pytest.FixtureRequest) -> App:
    return App(aws, tmp_path, request.param)


def test_a_version_of_the_other_with_the_same_build_is_not_taken_up(one: App, two: App) -> None:
    """The other could prune it and would not know."""
    assert (one.deploy("a"), two.deploy("a")) == (1, 2)
    assert (one.deploy("a"), two.deploy("a")) == (1, 2)


def test_nor_is_it_when_both_have_published_before(one: App, two: App) -> None:
    assert [one.deploy("a"), two.deploy("b"), one.deploy("c"), two.deploy("c")] == [1, 2, 3, 4]
    assert [two.deploy("b"), one.deploy("a"), two.deploy("c")] == [2, 1, 4]


def test_pruning_leaves_what_the_other_published(one: App, two: App) -> None:
    for app in (one, two):
        app.deploy("a")
    for build, before in (("b", "a"), ("c", "b"), ("d", "c")):
        one.deploy(build, keep=1, before=before)
    assert one.versions == {2, 4, 5}  # 4 is what a rollback needs
    assert two.deploy("a") == 2


def test_each_keeps_as_many_of_its_own_as_it_was_asked_to(one: App, two: App) -> None:
    one.deploy("a")
    one.deploy("b")
    for build in "cde":
        two.deploy(build)
    one.deploy("f", keep=3, before="b")
    assert one.versions == {1, 2, 3, 4, 5, 6}


def test_a_removal_leaves_what_the_other_published(one: App, two: App) -> None:
    for build in "ab":
        one.deploy(build)
        two.deploy(build)
    one.destroy()
    assert one.versions == {2, 4}
    assert (two.deploy("a"), two.deploy("b")) == (2, 4)


@pytest.mark.parametrize("published_before", [False, True])
def test_one_that_was_interrupted_after_publishing_knows_its_version_again(
    one: App, two: App, aws: FakeAws, published_before: bool
) -> None:
    if published_before:
        one.deploy("z")
    two.deploy("a")
    broken = aws.s3.exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "No"}}, "PutObject")
    left = [broken]

    def refuse(params: dict[str, Any], **_: object) -> None:
        if left and "/layer/0" in str(params.get("url_path", params)):
            raise left.pop()

    aws.on("before-call.s3.PutObject", refuse)
    with pytest.raises(LbdartError):
        one.deploy("a")
    published = max(one.versions)
    assert one.deploy("a") == published
    assert max(one.versions) == published
