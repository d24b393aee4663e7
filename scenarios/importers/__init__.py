"""PySSMic's inputs made into scenario files: a folder of CSV files, a neighbourhood XML, a neighbourhood pickle."""
