"""What is run and what came out: scenario files, runs, results and figures."""
