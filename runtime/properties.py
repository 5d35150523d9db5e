"""Reads and checks the resource properties of the events, so that other code can rely on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing.s3 import S3Path

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BucketProperties", "LayerProperties", "SourceProperties"]

_MD5 = r"[0-9a-f]{32}"
_SHA256 = r"[0-9a-f]{64}"
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_REMOVAL_POLICY = r"retain|destroy"
_FILE_NAME = r"(?!\.\.?\Z)[^/\x00-\x1f\x7f]{1,200}"
_PREFIX = r"[^\x00-\x1f\x7f]{0,700}"
_KEY = r"[^\x00-\x1f\x7f]{1,1024}"


@dataclass(frozen=True)
class LayerProperties:
    """The properties of a ``Custom::LbdartLayer``.

    :param zip_sha256: empty in the properties of a release that did not know it, to which a stack rolls back.
    """

    layer_name: str
    build_key: str
    zip_sha256: str
    manifest_name: str
    manifest_md5: str
    asset: S3Path
    records_asset: S3Path
    s3dir_lambda: S3Path
    description: str
    license: str
    compatible_runtimes: tuple[str, ...]
    compatible_architectures: tuple[str, ...]
    removal_policy: str
    keep_versions: int | None

    @classmethod
    def parse(cls, properties: Mapping[str, Any]) -> Self:
        """Read the properties of an event.

        :raises LbdartError: when a property is missing or not valid.
        """
        return cls(
            layer_name=_text(properties, "LayerName", r"[a-zA-Z0-9_-]{1,140}"),
            build_key=_text(properties, "BuildKey", _SHA256),
            zip_sha256=_text(properties, "ZipSha256", f"{_SHA256}|", default=""),
            manifest_name=_text(properties, "ManifestName", _FILE_NAME),
            manifest_md5=_text(properties, "ManifestMd5", _MD5),
            asset=_object(properties, "AssetBucket", "AssetKey"),
            records_asset=_object(properties, "RecordsAssetBucket", "RecordsAssetKey"),
            s3dir_lambda=_folder(properties),
            description=_text(properties, "Description", r".*", default=""),
            license=_text(properties, "License", r".*", default=""),
            compatible_runtimes=_texts(properties, "CompatibleRuntimes"),
            compatible_architectures=_texts(properties, "CompatibleArchitectures"),
            removal_policy=_text(properties, "RemovalPolicy", _REMOVAL_POLICY),
            keep_versions=int(_text(properties, "KeepVersions", r"[1-9]\d{0,8}|", default="") or 0) or None,
        )


@dataclass(frozen=True)
class BucketProperties:
    """The properties of a ``Custom::LbdartBucket``."""

    bucket: str
    removal_policy: str

    @classmethod
    def parse(cls, properties: Mapping[str, Any]) -> Self:
        """Read the properties of an event.

        :raises LbdartError: when a property is missing or not valid.
        """
        return cls(
            bucket=_text(properties, "Bucket", _BUCKET),
            removal_policy=_text(properties, "RemovalPolicy", _REMOVAL_POLICY),
        )


@dataclass(frozen=True)
class SourceProperties:
    """The properties of a ``Custom::LbdartSource``."""

    asset: S3Path
    s3dir_lambda: S3Path
    version: str
    sha256: str
    removal_policy: str

    @classmethod
    def parse(cls, properties: Mapping[str, Any]) -> Self:
        """Read the properties of an event.

        :raises LbdartError: when a property is missing or not valid.
        """
        return cls(
            asset=_object(properties, "AssetBucket", "AssetKey"),
            s3dir_lambda=_folder(properties),
            version=_text(properties, "SourceVersion", _FILE_NAME),
            sha256=_text(properties, "SourceSha256", _SHA256),
            removal_policy=_text(properties, "RemovalPolicy", _REMOVAL_POLICY),
        )


def _text(properties: Mapping[str, Any], name: str, pattern: str, default: str | None = None) -> str:
    value = properties.get(name, default)
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
        raise _malformed(name, value)
    return value


def _texts(properties: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = properties.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise _malformed(name, values)
    return tuple(values)


def _object(properties: Mapping[str, Any], bucket: str, key: str) -> S3Path:
    return S3Path(_text(properties, bucket, _BUCKET), _text(properties, key, _KEY))


def _folder(properties: Mapping[str, Any]) -> S3Path:
    prefix = _text(properties, "Prefix", _PREFIX)
    # Each folder has one spelling, so that an extra slash at the end does not make another resource.
    return S3Path(_text(properties, "Bucket", _BUCKET), prefix.strip("/"))


def _malformed(name: str, value: object) -> LbdartError:
    shown = "missing" if value is None else f"{str(value)[:80]!r}"
    return LbdartError(
        f"The property {name} is {shown}, which the custom resource does not accept.",
        "Declare the resource through LambdaLayerArtifact or LambdaSourceArtifact of the same release.",
    )
