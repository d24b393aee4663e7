#!/bin/sh
# A washing machine that joins a run: a shell script with mosquitto_pub and mosquitto_sub (Debian: mosquitto-clients).
set -eu
host=${MQTT_HOST:-127.0.0.1} port=${MQTT_PORT:-1883} pace=${PACE:-1}
run=ssmic/${SSMIC_RUN:-street}
topic=$run/devices/${DEVICE:-washer}

say() { # what, content, further options
  what=$1 content=$2
  shift 2
  mosquitto_pub -h "$host" -p "$port" -q 1 -t "$topic/$what" -m "$content" "$@"
}

wash() {
  for power_w in 100 2000 150; do
    say report "{\"id\": \"wash-1\", \"state\": \"EXECUTING\", \"power_w\": $power_w}"
    sleep "$(awk "BEGIN { print 600 / $pace }")"
  done
  say report '{"id": "wash-1", "state": "FINISHED", "power_w": 0}'
}

say availability online -r
say announce "{\"type\": \"consumer\", \"house\": \"${HOUSE:-adler}\", \"name\": \"Washing machine\"}" -r

pipe=$(mktemp -u)
mkfifo "$pipe"
mosquitto_sub -h "$host" -p "$port" -q 1 -v -t "$topic/set" -t "$topic/job" -t "$topic/error" -t "$run/time" \
  --will-topic "$topic/availability" --will-payload offline --will-retain --will-qos 1 > "$pipe" &
subscriber=$!
trap 'kill -KILL $subscriber 2> /dev/null || true; rm -f "$pipe"' EXIT

asked=no started=no
while read -r heard content; do # one message a line: topic, blank, content
  [ "$heard" = "$run/time" ] || echo "$heard $content"
  case "$heard $content" in
    # The run is under way; before that, a request is lost.
    "$run/time "*'"running"'*)
      [ $asked = yes ] || say request '{"id": "wash-1", "energy_wh": 375, "duration_s": 1800, "ready_by": "18:00"}'
      asked=yes
      ;;
    */set*'"start"'*) [ $started = yes ] || { started=yes; wash & } ;;
    */job*'"FINISHED"'* | */job*'"ABORTED"'*) break ;;
  esac
done < "$pipe"
say availability offline -r
