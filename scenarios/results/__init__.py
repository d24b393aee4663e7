"""Results files: SQLite, written as a run goes on; views, summaries and exports."""
