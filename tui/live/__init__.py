"""Negotiations: an area of the terminal application."""
