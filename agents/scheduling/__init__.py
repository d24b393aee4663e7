"""When jobs run: pure functions from a producer's state and a new task to a plan."""
