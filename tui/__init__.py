"""User interfaces: the command line and the terminal application."""
