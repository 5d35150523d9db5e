"""What the end-to-end tests deploy, and how."""
