"""Follows a run by reading its topics; no screen in it."""
