"""Parts of a URL: origin, host, and the bytes of a login."""

from __future__ import annotations

import contextlib
import ipaddress
from urllib.parse import SplitResult, urlsplit


def utf8(text: str) -> bytes:
    """Return the bytes of a text from an environment variable, which need not be valid UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def origin_of(url: str) -> tuple[str, str, int]:
    """Return the scheme, host and port of a URL; empty values and 0 for an invalid URL."""
    parts = _parts(url)
    if parts is None:
        return "", "", 0
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _parts(url: str) -> SplitResult | None:
    """Split an http or https URL; return None for any other text."""
    with contextlib.suppress(ValueError):  # an invalid port or IPv6 address
        parts = urlsplit(url)
        if parts.scheme in ("https", "http") and parts.hostname and (parts.port is None or parts.port):
            return parts
    return None


def is_this_machine(host: str) -> bool:
    """Tell whether a host is a loopback address, where nobody else reads what is sent."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
