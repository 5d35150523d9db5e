"""The Lambda handler."""

from typing import Any

from team_rates import VERSION


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Say by which rates prices are made."""
    return {"rates": VERSION}
