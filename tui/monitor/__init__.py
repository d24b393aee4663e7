"""Watches a run live."""
