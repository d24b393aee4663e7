"""The clairvoyant optimum of a scenario: the best plan known, and a proven upper bound."""

from scenarios.optimum.checking import delivered_wh, plan_problems
from scenarios.optimum.online import plan_as_it_goes
from scenarios.optimum.solve import Optimum, clairvoyant_optimum

__all__ = ["Optimum", "clairvoyant_optimum", "delivered_wh", "plan_as_it_goes", "plan_problems"]
