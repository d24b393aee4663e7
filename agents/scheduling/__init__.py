"""Schedulers: pure functions that place tasks on a producer's forecast."""
