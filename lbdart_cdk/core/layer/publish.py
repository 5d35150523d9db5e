"""Step 4 of the workflow without CDK: publishes the uploaded ``layer.zip``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..arguments import as_tuple
from ..errors import InvalidError, MissingError
from ..keys import key_of
from ..project.manifest import ManifestFile
from ..publishing.aws_errors import client_for
from ..publishing.layouts import S3MetadataKeyEnum
from ..publishing.limits import validate_layer_name
from ..publishing.publish import LayerDeployment, LayerPublisher, uploaded_zip
from ..publishing.s3 import S3Object
from .manifest import LayerManifestManager

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

#: What a caller may set of the request, by our names.
_OPTIONS: Final = {
    "Description": "description",
    "LicenseInfo": "license",
    "CompatibleRuntimes": "compatible_runtimes",
    "CompatibleArchitectures": "compatible_architectures",
}


@dataclass(frozen=True, kw_only=True)
class LambdaLayerVersionPublisher(LayerManifestManager):
    """Publishes the zip in S3 as a layer version, in three stages of preflight and one call.

    :class:`.LayerPublisher` publishes with a build key of its own, and can upload and prune, too.

    :param path_manifest: the manifest that the layer was built from.
    :param path_pyproject_toml: the project's ``pyproject.toml``. Default: the one beside the manifest.
    :param s3dir_lambda: the folder of the layer's objects (:class:`.LayerS3Layout`).
    :param s3_client: boto3's client for S3.
    :param layer_name: at most 140 characters of ``[a-zA-Z0-9-_]``.
    :param lambda_client: boto3's client for Lambda.
    :param publish_layer_version_kwargs: ``Description``, ``LicenseInfo``, ``CompatibleRuntimes`` and
        ``CompatibleArchitectures`` of PublishLayerVersion.
    :raises LbdartError: when a value is not valid.
    """

    layer_name: str
    lambda_client: LambdaClient
    publish_layer_version_kwargs: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        validate_layer_name(self.layer_name)
        layer_options(self.publish_layer_version_kwargs)

    def run(self) -> LayerDeployment:
        """Publish the zip, or return the current version of an unchanged layer.

        The stages: there is a zip; it was uploaded with the MD5 of this manifest; no version has this build.
        A zip that another program uploaded with the manifest's MD5 is published, too. It has no build key, so
        the manifest says whether it changed, also since a version that another program published.

        :raises LbdartError: when there is no zip (a FileNotFoundError), when its manifest is another (a
            ValueError), or when AWS refuses.
        """
        return self._publisher(self.step_1_preflight_check()).run()

    def step_1_preflight_check(self) -> S3Object:
        """Return the zip to publish after the first two stages; the third only decides what :meth:`run` does.

        :raises LbdartError: as :meth:`run` does.
        """
        zip_in_s3 = self.step_1_1_ensure_layer_zip_exists()
        self.step_1_2_ensure_layer_zip_is_consistent()
        return zip_in_s3

    def step_1_1_ensure_layer_zip_exists(self) -> S3Object:
        """Return the zip to publish.

        :raises LbdartError: when it does not exist.
        """
        return uploaded_zip(client_for(self.s3_client, "s3"), self.s3_layout)

    def is_layer_zip_exists(self) -> bool:
        """Tell whether there is a zip to publish."""
        try:
            self.step_1_1_ensure_layer_zip_exists()
        except MissingError:
            return False
        return True

    def step_1_2_ensure_layer_zip_is_consistent(self) -> None:
        """Refuse a zip that was uploaded with the MD5 of another manifest.

        :raises LbdartError: when it was, or there is no zip.
        """
        zip_in_s3 = self.step_1_1_ensure_layer_zip_exists()
        md5 = zip_in_s3.metadata.get(S3MetadataKeyEnum.manifest_md5, "missing")
        if md5 != self.manifest_md5:
            raise InvalidError(
                f"{zip_in_s3.path} is inconsistent with {self.path_manifest}: "
                f"the MD5 of its manifest is {md5}, not {self.manifest_md5}.",
                "Build and upload the layer again, then publish.",
            )

    def is_layer_zip_consistent(self) -> bool:
        """Tell whether the zip was uploaded with the MD5 of this manifest."""
        try:
            self.step_1_2_ensure_layer_zip_is_consistent()
        except InvalidError:
            return False
        return True

    def step_1_3_ensure_dependencies_have_changed(self) -> None:
        """Refuse an unchanged layer, for which :meth:`run` returns the current version.

        :raises LbdartError: when it is unchanged, or there is no zip.
        """
        current = self._publisher(self.step_1_1_ensure_layer_zip_exists()).find_unchanged()
        if current is not None:
            raise InvalidError(
                f"The layer {self.layer_name} is unchanged since version {current.layer_version}.",
                "Use this version: run() returns it.",
            )

    def has_dependency_manifest_changed(self) -> bool:
        """Tell whether :meth:`run` would publish a version."""
        try:
            self.step_1_3_ensure_dependencies_have_changed()
        except InvalidError:
            return False
        return True

    def _publisher(self, zip_in_s3: S3Object) -> LayerPublisher:
        options = layer_options(self.publish_layer_version_kwargs)
        unnamed = unnamed_build_key(self, options)
        build_key = zip_in_s3.metadata.get(S3MetadataKeyEnum.build_key)
        return LayerPublisher(
            s3_client=client_for(self.s3_client, "s3"),
            lambda_client=client_for(self.lambda_client, "lambda"),
            layer_name=self.layer_name,
            s3dir_lambda=self.s3dir_lambda,
            build_key=build_key or unnamed,
            # Of another program's zip the manifest decides: its bytes may differ each time.
            zip_sha256=(zip_in_s3.sha256 or "") if build_key else "",
            manifest=self.manifest,
            unnamed_build_key=unnamed,
            verbose=self.verbose,
            printer=self.printer,
            **options,
        )


def unnamed_build_key(manifest: ManifestFile, options: Mapping[str, Any]) -> str:
    """Return a build key for another program's zip: over the manifest, and what the layer is declared for."""
    return key_of(
        {
            "artifact": "zip of another program",
            "manifest": manifest.sha256,
            "runtimes": sorted(as_tuple(options.get("compatible_runtimes"))),
            "architectures": sorted(as_tuple(options.get("compatible_architectures"))),
        }
    )


def layer_options(kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return arguments of PublishLayerVersion by the names of :class:`.LayerPublisher`.

    :raises LbdartError: when there is another argument.
    """
    unknown = [name for name in kwargs or () if name not in _OPTIONS]
    if unknown:
        raise InvalidError(
            f"publish_layer_version_kwargs has {', '.join(unknown)}.",
            f"Pass only {', '.join(_OPTIONS)}; the rest comes from the layer.",
        )
    return {_OPTIONS[name]: value for name, value in (kwargs or {}).items()}
