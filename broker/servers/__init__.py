"""MQTT brokers that run on this machine: Mosquitto as a child process, or amqtt inside this one."""
