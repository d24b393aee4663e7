"""Runs a scenario in one process, once or many times, and records it."""
