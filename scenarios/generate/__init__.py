"""Neighbourhoods of our own making: the bundled scenarios, and as many others as one likes, each from a seed.

The same seed gives the same neighbourhood on every machine. `python -m scenarios.generate` writes the bundled files.
"""
