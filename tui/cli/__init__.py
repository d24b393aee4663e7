"""The command line: one small module a command, imported when it is called; heavy imports wait inside the commands."""
