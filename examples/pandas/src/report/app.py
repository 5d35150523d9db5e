"""The Lambda handler."""

from typing import Any

import pandas as pd


def handler(event: dict[str, Any], context: object) -> dict[str, float]:
    """Return the total of each product in the event's rows."""
    sales = pd.DataFrame(event["rows"])
    totals = sales.groupby("product")["amount"].sum()
    return {str(product): float(amount) for product, amount in totals.items()}
