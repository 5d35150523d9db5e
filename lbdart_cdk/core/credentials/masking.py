"""Hide secrets in texts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from urllib.parse import quote, unquote

from .urls import _parts, utf8


def secrets_in(variables: Mapping[str, str]) -> set[str]:
    """Return the passwords in the tools' variables, as a build prints them and percent-encoded."""
    passwords = {value for name, value in variables.items() if name.endswith("_PASSWORD")}
    for value in variables.values():
        parts = (_parts(url) for url in value.split() if "://" in url)
        passwords |= {unquote(url.password or "") for url in parts if url is not None}
    return forms_of(passwords)


def forms_of(passwords: Iterable[str]) -> set[str]:
    """Return each password as a build prints it, and percent-encoded as in a URL."""
    return {
        form
        for password in passwords
        if password
        for form in (as_heard(password), quote(utf8(password), safe=""))
    }


def as_heard(text: str) -> str:
    """Return a text as it reads in the output of a build that prints it."""
    return utf8(text).decode(errors="replace")


def masked(text: str, secrets: Collection[str]) -> str:
    """Replace each secret in a text by ``****``."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "****")
    return text
