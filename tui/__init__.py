"""What a person sees: the command line and, on top of it, the screens."""
