"""The shared libraries in the image of each Lambda runtime, and the versions of its C and C++ libraries.

Each list below names its source:

- Amazon Linux 2 (up to python3.11): the file system of Lambda itself, as functions read it in 2020. It is in
  the repository lambci/docker-lambda, ``base/base-2/fs.txt`` and ``base/base-2/packages.txt``. It has less
  than the image ``amazonlinux:2``: no expat, glib2, libxml2, sqlite, xz or curl. Reports of functions agree:
  on python3.9 that libexpat.so.1 is missing (Toblerity/Fiona), on python3.11 that liblzma.so.5 is
  (Belval/pdf2image-as-a-service).
- Amazon Linux 2023 (python3.12 and later): the column *Minimal Container* of *Comparing packages installed on
  Amazon Linux 2023 Minimal AMI and Container Images* (Amazon Linux 2023 User Guide), which the Lambda
  Developer Guide (*Lambda runtimes*) names as the base of these runtimes. The output of ``rpm -qa`` in the
  image ``lambda/python:3.12``, in the repository amazonlinux/amazon-linux-2023, agrees as far as it was read,
  up to libblkid: it has no expat, either. The names of the libraries come from these packages. *AL2023
  release notes*, 2023.7.20250331, has libxcrypt and the libstdc++ of GCC 14.

``/var/lang/lib`` also has the runtime's own libpython.

A runtime probably lacks a library that is not listed here, which is only a reason to warn. The versions of
glibc and libstdc++ are certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..project.target import Target

#: The package glibc: in both file systems, in every version.
_GLIBC: Final = """
    ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 libBrokenLocale.so.1 libanl.so.1 libc.so.6 libdl.so.2 libm.so.6
    libnss_compat.so.2 libnss_dns.so.2 libnss_files.so.2 libpthread.so.0 libresolv.so.2 librt.so.1
    libthread_db.so.1 libutil.so.1
"""
#: The packages gmp, keyutils-libs, krb5-libs, libacl, libattr, libcap, libcom_err, libgcc, libselinux,
#: libstdc++, libtasn1, libverto, ncurses-libs, p11-kit, popt and zlib: in both file systems.
_BOTH: Final = """
    libacl.so.1 libattr.so.1 libcap.so.2 libcom_err.so.2 libform.so.6 libformw.so.6 libgcc_s.so.1 libgmp.so.10
    libgssapi_krb5.so.2 libgssrpc.so.4 libk5crypto.so.3 libkeyutils.so.1 libkrad.so.0 libkrb5.so.3
    libkrb5support.so.0 libmenu.so.6 libmenuw.so.6 libncurses.so.6 libncursesw.so.6 libp11-kit.so.0
    libpanel.so.6 libpanelw.so.6 libpopt.so.0 libselinux.so.1 libstdc++.so.6 libtasn1.so.6 libtic.so.6
    libtinfo.so.6 libverto.so.1 libz.so.1
"""
#: What else is in ``fs.txt``: of glibc, gmp, krb5-libs, libffi, libsepol, nspr, nss-softokn-freebl, nss-util,
#: openssl-libs and pcre.
_AL2: Final = """
    libcidn.so.1 libcrypto.so.10 libffi.so.6 libfreebl3.so libfreeblpriv3.so libgmpxx.so.4 libkdb5.so.8
    libnsl.so.1 libnspr4.so libnssutil3.so libpcre.so.1 libpcre16.so.0 libpcre32.so.0 libpcrecpp.so.0
    libpcreposix.so.0 libplc4.so libplds4.so libsepol.so.1 libssl.so.10
"""
#: What else is in the minimal container: of audit-libs, bzip2-libs, file-libs, glib2, gobject-introspection,
#: gpgme, json-c, libarchive, libassuan, libblkid, libcap, libcap-ng, libcurl-minimal, libdnf, libffi,
#: libgcrypt, libgpg-error, libidn2, libmodulemd, libmount, libnghttp2, libpsl, librepo, libsepol, libsigsegv,
#: libsmartcols, libsolv, libunistring, libuuid, libxcrypt, libxml2, libyaml, libzstd, lua-libs, lz4-libs,
#: mpfr, npth, openssl-libs, pcre2, readline, sqlite-libs and xz-libs.
_AL2023: Final = """
    libarchive.so.13 libassuan.so.0 libaudit.so.1 libblkid.so.1 libbz2.so.1 libcap-ng.so.0 libcrypt.so.2
    libcrypto.so.3 libcurl.so.4 libdnf.so.2 libffi.so.8 libgcrypt.so.20 libgio-2.0.so.0
    libgirepository-1.0.so.1 libglib-2.0.so.0 libgmodule-2.0.so.0 libgobject-2.0.so.0 libgpg-error.so.0
    libgpgme.so.11 libgthread-2.0.so.0 libhistory.so.8 libidn2.so.0 libjson-c.so.5 liblua-5.4.so liblz4.so.1
    liblzma.so.5 libmagic.so.1 libmodulemd.so.2 libmount.so.1 libmpfr.so.6 libnghttp2.so.14 libnpth.so.0
    libpcre2-8.so.0 libpsl.so.5 libpsx.so.2 libreadline.so.8 librepo.so.0 libsepol.so.2 libsigsegv.so.2
    libsmartcols.so.1 libsolv.so.1 libsqlite3.so.0 libssl.so.3 libunistring.so.2 libuuid.so.1 libxml2.so.2
    libyaml-0.so.2 libzstd.so.1
"""

#: LD_LIBRARY_PATH as Lambda sets it (*Defined runtime environment variables*, Lambda Developer Guide). The
#: loader searches it beside a file's own search path.
LIBRARY_PATH: Final = (
    "/var/lang/lib",
    "/lib64",
    "/usr/lib64",
    "/var/runtime",
    "/var/runtime/lib",
    "/var/task",
    "/var/task/lib",
    "/opt/lib",
)


@dataclass(frozen=True, slots=True)
class Image:
    """The libraries and symbol versions of a runtime's image.

    :param libraries: the names of its shared libraries.
    :param newest: the newest version of each family of symbol versions: ``GLIBC``, ``GLIBCXX``, ``CXXABI``,
        ``GCC``.
    """

    libraries: frozenset[str]
    newest: dict[str, tuple[int, ...]]


def image_of(target: Target) -> Image:
    """Return the libraries and symbol versions of the target's runtime."""
    modern = target.python >= (3, 12)
    newest: dict[str, tuple[int, ...]] = {
        "GLIBC": target.glibc,
        "GLIBCXX": (3, 4, 33) if modern else (3, 4, 24),
        "CXXABI": (1, 3, 15) if modern else (1, 3, 11),
        "GCC": (14, 0, 0) if modern else (7, 0, 0),
    }
    listed = " ".join((_GLIBC, _BOTH, _AL2023 if modern else _AL2)).split()
    vector = ["libmvec.so.1"] if target.machine == "x86_64" else []
    python = [f"libpython{target.python_version}.so.1.0", "libpython3.so"]
    return Image(frozenset([*listed, *vector, *python]), newest)
