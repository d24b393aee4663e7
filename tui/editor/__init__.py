"""The neighbourhood editor."""
