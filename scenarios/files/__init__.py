"""The YAML scenario format: reading, validating, editing and writing."""
