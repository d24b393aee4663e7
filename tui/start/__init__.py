"""*Start*: where one begins, or goes on."""
