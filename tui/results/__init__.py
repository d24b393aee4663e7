"""Reads results."""
