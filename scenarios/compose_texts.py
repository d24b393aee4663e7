"""The parts of a Compose file, to be filled in by `scenarios.compose`."""

from __future__ import annotations

PORT = 8883

COMMON = """\
x-ssmic: &ssmic
{image}
  read_only: true
  tmpfs: [/tmp]
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  logging: &logging
    driver: json-file
    options: {{max-size: 10m, max-file: "3"}}

x-process: &process
  <<: *ssmic{depends}
  # Killed, it starts again, replays its journal and takes its place in the round that waits for it.
  restart: on-failure
  stop_grace_period: 15s
  healthcheck:
    test: [CMD-SHELL, {alive}]
    interval: 10s
    start_period: 60s

x-environment: &environment
  SSMIC_BROKER: {broker}
  SSMIC_RUN: ${{SSMIC_RUN:-{run}}}
  SSMIC_SEED: ${{SSMIC_SEED:-{seed}}}
  SSMIC_JOURNAL: /journal
  SSMIC_ALIVE_FILE: /tmp/alive
  SSMIC_CA_FILE: /login/ca.crt
{login}
"""

LOGIN_BY_NAME = "  SSMIC_PASSWORD_FILE: /login/password"
LOGIN_BY_CERTIFICATE = "  SSMIC_CERT_FILE: /login/client.crt\n  SSMIC_KEY_FILE: /login/client.key"

GUARD_SERVICE = """
  # Makes what the broker and its logins need where it is not there, each login in a volume of its own, and ends.
  guard:
    <<: *ssmic
{build}    # As root, for it gives every file to the user that reads it; without a network.
    user: "0:0"
    cap_add: [CHOWN, DAC_OVERRIDE, FOWNER]
    network_mode: none
    attach: false
    command: {command}
    volumes:
{volumes}"""

LISTENS = f"cat /proc/net/tcp* | grep -q ':{PORT:04X} [0-9A-F]*:0000 0A '"

BROKER_SERVICE = """
  broker:
    image: eclipse-mosquitto:2
    command: [mosquitto, -c, /mosquitto/config/mosquitto.conf]
    user: "{user}"
{more}
    restart: unless-stopped
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    # It tells every message, so as to tell those that were denied: `docker compose logs broker | grep Denied`.
    attach: false
    logging: *logging
    healthcheck:
      # It listens on port {port}: that can be seen without logging in.
      test: [CMD-SHELL, "{listens}"]
      interval: 1s
      retries: 30
    volumes:
{volumes}"""

CLOCK_SERVICE = """
  # The time authority and the manager. It waits until all households are there, and prints what came out.
  clock:
    <<: *process
    command: {command}
    environment:
      <<: *environment
      SSMIC_USER: {user}
      SSMIC_OUT: /results/${{SSMIC_RUN:-{run}}}.sqlite
      SSMIC_PACE: ${{SSMIC_PACE:-max}}
      SSMIC_ON_LOSS: ${{SSMIC_ON_LOSS:-wait}}
    volumes:
{volumes}"""

HOUSEHOLD_SERVICE = """
  {service}:
    <<: *process
    attach: false
    command: {command}
    environment: {{<<: *environment, SSMIC_USER: {user}}}
    volumes:
{volumes}"""

WATCHER_SERVICE = """
  # Shows all that is said and agreed, and can say nothing: `docker compose run --rm watcher`.
  watcher:
    <<: *ssmic
    profiles: [watch]
    depends_on:
      broker: {{condition: service_healthy}}
    tty: true
    stdin_open: true
    command: {command}
    environment: {{<<: *environment, SSMIC_USER: {user}}}
    volumes:
{volumes}"""
