"""The wire format: topics, payload models, reordering, rejected messages and timeouts."""
