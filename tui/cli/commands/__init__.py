"""The subcommands of `ssmic`, a module each."""
