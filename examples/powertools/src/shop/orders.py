"""The function that takes orders."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take an order."""
    quantity = sum(item["quantity"] for item in event["items"])
    logger.info("An order came in", extra={"quantity": quantity})
    metrics.add_metric(name="Ordered", unit=MetricUnit.Count, value=quantity)
    return {"service": logger.service, "ordered": quantity}
