"""Buses that carry messages: in memory and over MQTT."""
