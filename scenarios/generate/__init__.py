"""Generates neighbourhoods: solar production, weather, roofs and habits."""
