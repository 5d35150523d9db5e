"""The Lambda handler."""

import os
from datetime import date
from typing import Any

from babel.dates import format_date


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Say which day it is, and in which stage."""
    day = date.fromisoformat(event["day"])
    return {"stage": os.environ["STAGE"], "day": format_date(day, "full", locale=event["locale"])}
