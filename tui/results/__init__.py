"""Results: an area of the terminal application."""
