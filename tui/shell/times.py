"""At which offset the application shows times: each scenario's own, or UTC where its user asked for that."""

from __future__ import annotations

from textual.dom import DOMNode

from scenarios.scenario import Zone


def shown_zone(node: DOMNode, own: Zone) -> Zone:
    """Return how times are shown.

    Args:
        node: Anything in the application.
        own: The zone of the scenario that the times belong to.
    """
    return Zone() if getattr(node.app, "utc_times", False) else own
