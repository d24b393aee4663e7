"""A run over several processes: the clock with the manager in one, every household in one of its own."""
