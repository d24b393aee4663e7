"""Who takes part: the energy model, messages, consumers, producers, the manager, scheduling."""
