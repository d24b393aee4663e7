"""Messages and virtual time: MQTT transports, brokers, hosts and the clock. Nothing here knows what a job is."""
