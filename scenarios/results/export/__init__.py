"""Results as plain tables for other programs: CSV, JSON, Parquet."""

from scenarios.results.export.folder import FORMATS, Format, export_results

__all__ = ["FORMATS", "Format", "export_results"]
