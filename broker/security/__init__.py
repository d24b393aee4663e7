"""A guarded Mosquitto: certificates, logins and access control lists."""
