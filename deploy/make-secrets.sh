#!/usr/bin/env bash
# Makes the random secrets that compose.yaml mounts, each a file of deploy/secrets. What is there stays.
# Back them up apart from the data: without busbar_secret the stations' passwords and sealed secrets are lost.
set -euo pipefail
dir=${1:-$(cd "$(dirname "$0")" && pwd)/secrets}

mkdir -p "$dir"
# Containers without root read the files as others; who may not enter the folder cannot.
chmod 700 "$dir"

# write <name> <text>
write() {
  if [[ -s $dir/$1 ]]; then return; fi
  printf '%s' "$2" >"$dir/$1"
  chmod 444 "$dir/$1"
  echo "made $dir/$1"
}

random() { openssl rand -hex 32; }

write busbar_secret "$(random)"
write postgres_password "$(random)"
write redis_password "$(random)"
write kafka_password "$(random)"
write grafana_password "$(random)"
write database_url "postgres://busbar:$(cat "$dir/postgres_password")@postgres:5432/busbar"
write redis_url "redis://:$(cat "$dir/redis_password")@redis:6379"
