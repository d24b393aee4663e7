"""Results of a simulation: one SQLite file, written as the run goes, read while it is written."""
