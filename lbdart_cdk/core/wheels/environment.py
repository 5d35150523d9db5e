"""The environment that a build sees: a list, so that no build backend sees passwords and tokens.

What of it can change a build's result is part of the keys of what is built. The rest differs between machines
that give the same result: where programs, temporary files, proxies and certificates are.

Sources: the documentation of each build backend for its variables; reproducible-builds.org for
SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from ..errors import LbdartError
from ..project import git

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: 1980-01-01, the date of all files in our zips. Builds write it into files instead of today.
_EPOCH: Final = "315532800"
#: Variables of the machine. They change no wheel: one that is compiled on this machine is refused.
_OF_MACHINE: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "XDG_*"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
    # Windows starts no program without these.
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
    *("PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE"),
    # Compilers: a package may compile something for its own build.
    *("CC", "CXX", "CPP", "LD", "AR", "RANLIB", "NM", "STRIP", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS"),
    *("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "LD_LIBRARY_PATH"),
    *("PKG_CONFIG", "PKG_CONFIG_PATH", "CARGO_HOME", "RUSTUP_HOME", "SDKROOT", "DEVELOPER_DIR"),
    *("ARCHFLAGS", "MACOSX_DEPLOYMENT_TARGET"),
)
#: Variables of build backends, which decide what is built.
_OF_RESULT: Final = (
    *("SETUPTOOLS_SCM_*", "VCS_VERSIONING_*", "HATCH_VCS_*", "HATCH_BUILD_*", "PDM_BUILD_*", "PBR_*"),
    *("POETRY_DYNAMIC_VERSIONING_*", "UV_DYNAMIC_VERSIONING_*", "VERSIONEER_*", "FLIT_*", "SKBUILD_*"),
    *(
        "SETUPTOOLS_*",
        "DISTUTILS_*",
        "CYTHON_*",
        "MATURIN_*",
        "CMAKE_ARGS",
        "RUSTFLAGS",
        "CARGO_BUILD_TARGET",
    ),
    "SOURCE_DATE_EPOCH",
)
#: Variables with which installers find indexes, logins and Pythons; only they see these.
_OF_INSTALLERS: Final = (
    *("UV_*", "PIP_*", "NETRC", "KEYRING_*", "PYTHON_KEYRING_BACKEND"),
    *("GIT_*", "SSH_*", "PYENV_*", "ASDF_*", "MISE_*", "RTX_*"),
)
#: Variables with one value on every machine.
_FIXED: Final = {
    # macOS has no locale C.UTF-8.
    "LC_ALL": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
    "TZ": "UTC",
    "SOURCE_DATE_EPOCH": _EPOCH,
}


@dataclass(frozen=True)
class BuildEnvironment:
    """The environment of builds.

    :param given: the variables that the user names; they win.
    :raises LbdartError: when a name is not that of a variable, or a value is not text.
    """

    given: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.given.items():
            if not isinstance(name, str) or not isinstance(value, str) or not _NAME.fullmatch(name):
                raise LbdartError(
                    f"build_environment has {name!r} with the value {value!r}, which is not a variable's "
                    "name and text.",
                    'Write it like build_environment={"CFLAGS": "-O3"}.',
                )

    @property
    def inputs(self) -> dict[str, str]:
        """The variables of this process and the user that decide what is built: a part of keys."""
        return {**_listed(_OF_RESULT), **self.given}

    def variables(self, folder: Path | None = None) -> dict[str, str]:
        """Return all variables that a build sees.

        :param folder: where the copy of the project lies; git looks for no repository above.
        """
        ceiling = {"GIT_CEILING_DIRECTORIES": str(folder.resolve())} if folder is not None else {}
        return {
            **_listed(_OF_MACHINE),
            **_FIXED,
            **git.with_settings(ceiling, git.READ_ONLY),
            **self.inputs,
        }

    def for_container(self) -> dict[str, str]:
        """Return what a build in a container sees, besides the variables of its image and of indexes."""
        return {**git.with_settings({}, git.READ_ONLY), **self.inputs}


def for_installer(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an installer of build requirements.

    :param variables: the environment of the build.
    """
    own = _listed(_OF_INSTALLERS)
    # The user's settings of git may say how to reach a repository; those of builds keep git from writing.
    settings = {name: value for name, value in own.items() if name.startswith("GIT_")}
    return {**own, **variables, **settings}


def _listed(patterns: tuple[str, ...]) -> dict[str, str]:
    return {
        name: value
        for name, value in git.environment().items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    }
