#!/usr/bin/env bash
# Installs Home Assistant and Zigbee2MQTT into the folder that is named, once; says what cannot be had, and goes on.
set -uo pipefail
folder=${1:?a folder}
mkdir -p "$folder" && cd "$folder" || exit 1
python313=
for candidate in "$HOME"/.pyenv/versions/3.13.*/bin/python "$(command -v python3.13)"; do
  "$candidate" --version > /dev/null 2>&1 && python313=$candidate
done
if [ ! -e ha/.installed ]; then
  if [ -z "$python313" ]; then
    echo "Home Assistant is not installed: it needs Python 3.13"
  elif "$python313" -m venv ha && ha/bin/python -m pip install --quiet uv \
    && ha/bin/uv pip install --quiet -p ha/bin/python homeassistant==2025.4.4; then
    touch ha/.installed
  else
    echo "Home Assistant is not installed, as said above"
  fi
fi
if [ ! -e zigbee2mqtt/.installed ]; then
  if ! command -v npm > /dev/null; then
    echo "Zigbee2MQTT is not installed: it needs npm"
  elif mkdir -p zigbee2mqtt && npm install --prefix zigbee2mqtt --no-package-lock --no-audit --no-fund zigbee2mqtt@2.14.1; then
    touch zigbee2mqtt/.installed
  else
    echo "Zigbee2MQTT is not installed, as said above"
  fi
fi
if ! command -v faketime > /dev/null; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends faketime; } > /dev/null 2>&1 \
    || echo "faketime is not installed"
fi
exit 0
