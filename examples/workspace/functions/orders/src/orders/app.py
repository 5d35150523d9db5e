"""The Lambda handler."""

from typing import Any

from pydantic import BaseModel, PositiveInt
from shop_core import price


class Order(BaseModel):
    """An order of one product."""

    sku: str
    quantity: PositiveInt


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Price the order in the event."""
    order = Order.model_validate(event)
    return {"total": str(price(order.sku) * order.quantity)}
