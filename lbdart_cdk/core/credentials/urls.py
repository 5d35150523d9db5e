"""What URLs are made of: origin, host, and the bytes of a login."""

from __future__ import annotations

import contextlib
import ipaddress
from urllib.parse import SplitResult, urlsplit


def utf8(text: str) -> bytes:
    """Return a text as its variable holds it, which need not be UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL; those of one that is none are nobody's."""
    parts = _parts(url)
    if parts is None:
        return "", "", 0
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _parts(url: str) -> SplitResult | None:
    """Split a URL of the web; return None for any other."""
    with contextlib.suppress(ValueError):  # of a port or an IPv6 address
        parts = urlsplit(url)
        if parts.scheme in ("https", "http") and parts.hostname and (parts.port is None or parts.port):
            return parts
    return None


def is_this_machine(host: str) -> bool:
    """Tell whether a host is the loopback address: what is sent there nobody else reads."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
