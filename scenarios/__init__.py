"""What is run and what came out: scenario files, importers, the runner, results, figures."""
