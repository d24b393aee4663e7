/* A washing machine that joins a run: C with libmosquitto, as on a microcontroller (one loop, no threads).
 * Debian: apt install libmosquitto-dev; cc washer.c -lmosquitto -o washer */
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char topic[200], run_time[200];
static int step = -1, asked = 0, ended = 0; /* step: -1 before the programme, then its step */
static double next_at;
static const int power_w[] = {100, 2000, 150};

static const char *setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value ? value : otherwise;
}

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static void say(struct mosquitto *client, const char *what, const char *content, bool retain) {
  char full[256];
  snprintf(full, sizeof full, "%s/%s", topic, what);
  mosquitto_publish(client, NULL, full, (int)strlen(content), content, 1, retain);
}

static void on_connect(struct mosquitto *client, void *data, int reason) {
  char filter[256], content[200];
  const char *heard[] = {"set", "job", "error"};
  (void)data;
  if (reason) return;
  for (int i = 0; i < 3; i++) {
    snprintf(filter, sizeof filter, "%s/%s", topic, heard[i]);
    mosquitto_subscribe(client, NULL, filter, 1);
  }
  snprintf(content, sizeof content, "{\"type\": \"consumer\", \"house\": \"%s\"}", setting("HOUSE", "adler"));
  say(client, "availability", "online", true);
  say(client, "announce", content, true);
  mosquitto_subscribe(client, NULL, run_time, 0);
}

static void on_message(struct mosquitto *client, void *data, const struct mosquitto_message *message) {
  char content[4096];
  int length = message->payloadlen < 4095 ? message->payloadlen : 4095;
  (void)data;
  if (message->payload) memcpy(content, message->payload, (size_t)length);
  content[length] = 0;
  if (!strcmp(message->topic, run_time)) {
    if (!strstr(content, "\"running\"") || asked) return;
    asked = 1; /* the run is under way; before that, a request is lost */
    say(client, "request",
        "{\"id\": \"wash-1\", \"step_s\": 600, \"power_w\": [100, 2000, 150], \"ready_by\": \"18:00\"}", false);
    return;
  }
  printf("%s %s\n", message->topic, content);
  fflush(stdout);
  if (strstr(message->topic, "/set") && strstr(content, "\"start\"") && step < 0) step = 0;
  if (strstr(message->topic, "/job") && (strstr(content, "\"FINISHED\"") || strstr(content, "\"ABORTED\""))) ended = 1;
}

int main(void) {
  char gone[256], report[200];
  double step_s = 600 / atof(setting("PACE", "1"));
  snprintf(topic, sizeof topic, "ssmic/%s/devices/%s", setting("SSMIC_RUN", "street"), setting("DEVICE", "washer"));
  snprintf(run_time, sizeof run_time, "ssmic/%s/time", setting("SSMIC_RUN", "street"));
  snprintf(gone, sizeof gone, "%s/availability", topic);
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new(NULL, true, NULL);
  mosquitto_will_set(client, gone, 7, "offline", 1, true);
  mosquitto_connect_callback_set(client, on_connect);
  mosquitto_message_callback_set(client, on_message);
  if (mosquitto_connect(client, setting("MQTT_HOST", "127.0.0.1"), atoi(setting("MQTT_PORT", "1883")), 30)) return 1;
  while (!ended) {
    if (mosquitto_loop(client, 20, 1)) {
      sleep(1);
      mosquitto_reconnect(client);
    }
    if (step < 0 || step > 3 || now() < next_at) continue;
    if (step < 3)
      snprintf(report, sizeof report, "{\"id\": \"wash-1\", \"state\": \"EXECUTING\", \"power_w\": %d}", power_w[step]);
    else
      snprintf(report, sizeof report, "{\"id\": \"wash-1\", \"state\": \"FINISHED\", \"power_w\": 0}");
    say(client, "report", report, false);
    next_at = now() + step_s;
    step++;
  }
  say(client, "availability", "offline", true);
  for (int i = 0; i < 10; i++) mosquitto_loop(client, 20, 1);
  mosquitto_disconnect(client);
  mosquitto_destroy(client);
  return 0;
}
