"""The errors that this package raises because of what it was given; `SsmicError` is the base of all of them."""

from agents import SettingsError
from broker import SsmicError
from scenarios import ScenarioError

__all__ = ["ScenarioError", "SettingsError", "SsmicError"]
