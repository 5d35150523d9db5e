"""The example: an order-pricing function with its dependencies in a layer."""
