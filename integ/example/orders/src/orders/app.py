"""The Lambda handler."""

import sys
from typing import Any

import numpy as np
import pydantic

from orders.pricing import Order, total

CURRENCY = "EUR"


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Price the order in the event."""
    try:
        order = Order.model_validate(event)
    except pydantic.ValidationError as error:
        return {"error": f"{error.error_count()} field(s) of the order are wrong"}
    return {
        "total": total(order),
        "currency": CURRENCY,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "numpy": np.__version__,
        "pydantic": pydantic.VERSION,
    }
