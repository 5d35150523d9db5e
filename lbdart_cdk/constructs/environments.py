"""Compares the accounts and Regions of stacks, as far as they are known at synth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from aws_cdk import Stack, Token


@dataclass(frozen=True, slots=True)
class Environment:
    """The account and the Region of a stack; each may be a token."""

    account: str
    region: str

    @classmethod
    def of(cls, stack: Stack) -> Environment:
        """Return a stack's environment."""
        return cls(stack.account, stack.region)

    @property
    def is_known(self) -> bool:
        """Whether neither is a token."""
        return not (_is_token(self.account) or _is_token(self.region))

    @property
    def is_unknown(self) -> bool:
        """Whether both are tokens."""
        return _is_token(self.account) and _is_token(self.region)

    def has_other_account(self, other: Environment) -> bool:
        """Tell whether the accounts are known to differ."""
        return _differ(self.account, other.account)

    def has_other_region(self, other: Environment) -> bool:
        """Tell whether the Regions are known to differ."""
        return _differ(self.region, other.region)

    def is_elsewhere(self, other: Environment) -> bool:
        """Tell whether the environments are known to differ."""
        return self.has_other_account(other) or self.has_other_region(other)


def _differ(one: str, other: str) -> bool:
    return one != other and not (_is_token(one) or _is_token(other))


@cache
def _is_token(text: str) -> bool:
    """Tell whether a text has a token. It is asked for each function, of the same few texts."""
    return Token.is_unresolved(text)
