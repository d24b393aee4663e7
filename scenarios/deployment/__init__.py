"""Runs a scenario as separate processes: the clock, one household each, a Compose file."""
