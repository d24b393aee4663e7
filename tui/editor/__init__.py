"""Neighbourhoods: an area of the terminal application."""
