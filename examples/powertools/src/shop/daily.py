"""The function that reports on a day."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Report on the day in the event."""
    logger.info("A report was asked for", extra={"day": event["day"]})
    return {"service": logger.service, "day": event["day"]}
