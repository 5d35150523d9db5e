"""Orders, and a daily report of them."""
