"""One line about each field of the form of *Run*: what it is, unit, default, PySSMic's name for it."""

from __future__ import annotations

from agents.scheduling.settings import ABOUT_ALGORITHM

_ABOUT = {
    "source": "The neighbourhood to run: a YAML file, a PySSMic input folder, or the name of a bundled one.",
    "bundled": "Puts the name of a bundled neighbourhood into the field beside.",
    "days": "Days to simulate. Default: as the scenario says, else until the last job has run.",
    "seed": "A whole number for the first run; each further run has the next. Default: the scenario's.",
    "runs": "How many runs, each with a seed of its own (PySSMic: runs). Default: 1.",
    "workers": "Processes for several runs. Default: one per run, at most one per core.",
    "penalty": "What a Wh drawn beyond the sun counts in the objective; above 0. Default: 100.",
    "step_size": "Seconds over which the slope of the objective is taken (PySSMic: eps). Default: 60.",
    "tolerance": "A local search ends when steps gain less than this (PySSMic: tol). Default: 0.01.",
    "node_limit": "Nodes of the search tree for one decision, 1 or more. Default: 20.",
    "bus": "How agents exchange messages. The results are the same on each.",
    "hosts": "Connections that the agents are spread over. Default: one per house.",
    "broker": "URL of an MQTT broker: mqtt://[user:password@]host[:port], or mqtts:// for TLS.",
    "pace": "Virtual time against the clock: max, or a factor such as 1x, 60x. Default: max.",
    "patient": "On: a job declined by all waits for a better offer. Off: it takes grid power at once, as in PySSMic.",
    "reset_scores": "On: all producers begin with score 0. Off: scores continue from earlier simulations.",
    "out": "Where the results are written. Default: a new file in results/, named by date and scenario.",
}


def about(field: str, algorithm: str = "") -> str:
    """Return the line for a field, empty where there is none.

    Args:
        field: Its id.
        algorithm: The one that is chosen; empty: the scenario's.
    """
    if field == "algorithm":
        chosen = ABOUT_ALGORITHM.get(algorithm)
        return f"{algorithm} {chosen}." if chosen else "How producers schedule jobs. Default: the scenario's algorithm."
    return _ABOUT.get(field, "")
