"""Settlement and key figures."""
