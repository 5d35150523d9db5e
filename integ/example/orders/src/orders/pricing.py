"""What an order costs."""

import numpy as np
from pydantic import BaseModel, Field


class Item(BaseModel):
    """One line of an order."""

    sku: str
    quantity: int = Field(gt=0)
    unit_price: float = Field(ge=0)


class Order(BaseModel):
    """An order as it comes in; the discount is in percent."""

    items: list[Item] = Field(min_length=1)
    discount: float = Field(default=0, ge=0, le=100)


def total(order: Order) -> float:
    """Return the price of the whole order, rounded to cents."""
    quantities = np.array([item.quantity for item in order.items])
    prices = np.array([item.unit_price for item in order.items])
    return round(float(quantities @ prices) * (1 - order.discount / 100), 2)
