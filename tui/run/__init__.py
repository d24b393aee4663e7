"""Run: an area of the terminal application."""
