"""The *Negotiations* area: live view of a run."""
