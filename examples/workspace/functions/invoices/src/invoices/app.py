"""The Lambda handler."""

from typing import Any

from jinja2 import Template
from shop_core import price

INVOICE = Template("{{ quantity }} x {{ sku }} at {{ price }}")


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Write the invoice for the order in the event."""
    return {"invoice": INVOICE.render(price=price(event["sku"]), **event)}
