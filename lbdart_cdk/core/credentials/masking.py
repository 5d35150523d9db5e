"""Texts without the secrets in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from urllib.parse import quote, unquote

from .urls import _parts, utf8


def secrets_in(variables: Mapping[str, str]) -> set[str]:
    """Return the passwords in variables of the tools, as they are and as in an address."""
    passwords = {value for name, value in variables.items() if name.endswith("_PASSWORD")}
    for value in variables.values():
        parts = (_parts(url) for url in value.split() if "://" in url)
        passwords |= {unquote(one.password or "") for one in parts if one is not None}
    return forms_of(passwords)


def forms_of(passwords: Iterable[str]) -> set[str]:
    """Return passwords as they are heard and as in an address."""
    return {form for one in passwords if one for form in (as_heard(one), quote(utf8(one), safe=""))}


def as_heard(text: str) -> str:
    """Return what is heard of a text when a build prints it."""
    return utf8(text).decode(errors="replace")


def masked(text: str, secrets: Collection[str]) -> str:
    """Return a text without the secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "****")
    return text
