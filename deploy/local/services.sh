#!/usr/bin/env bash
# Real Postgres, Redis, Kafka (KRaft, one node) and an S3-compatible server (S3Proxy) on loopback ports of their own, for development and tests.
# No containers. For a production set-up this is no model: no replication, no passwords.
#
#   eval "$(deploy/local/services.sh up)"     start what is not running, wait until each answers, print the variables
#   deploy/local/services.sh down             stop what runs; the data stays
#   deploy/local/services.sh status           one line a service; exit code 1 if one is down
#
# Names after the verb limit it to these: deploy/local/services.sh up kafka
# Needs (Debian): apt install postgresql redis-server default-jre-headless maven curl
#
# BUSBAR_SERVICES_DIR            data, logs, pid files (default: .busbar/services in the repository)
# BUSBAR_SERVICES_POSTGRES_PORT  25432
# BUSBAR_SERVICES_REDIS_PORT     26379
# BUSBAR_SERVICES_KAFKA_PORT     29092; the controller listens on the port after it
# BUSBAR_SERVICES_S3_PORT        29080
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${BUSBAR_SERVICES_DIR:-$(cd "$here/../.." && pwd)/.busbar/services}
postgres_port=${BUSBAR_SERVICES_POSTGRES_PORT:-25432}
redis_port=${BUSBAR_SERVICES_REDIS_PORT:-26379}
kafka_port=${BUSBAR_SERVICES_KAFKA_PORT:-29092}
s3_port=${BUSBAR_SERVICES_S3_PORT:-29080}

say() { echo "$*" >&2; }
fail() { say "services.sh: $*"; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 not found: apt install $2"; }

# wait_for <name> <log file> <command...>: 60 s at most
wait_for() {
  local name=$1 log=$2
  shift 2
  for _ in $(seq 300); do
    if "$@"; then
      say "$name answers"
      return
    fi
    sleep 0.2
  done
  tail -20 "$log" >&2 || true
  fail "$name does not answer; its log: $log"
}

# pid_of <pid file> <word>: the pid if that process lives and its command line holds the word (pids are reused)
pid_of() {
  local pid
  pid=$(head -1 "$1" 2>/dev/null) || return 1
  [[ -n $pid ]] && ps -o args= -p "$pid" 2>/dev/null | grep -qF -- "$2" && echo "$pid"
}

# stop_pid <name> <pid>
stop_pid() {
  kill "$2"
  for _ in $(seq 150); do
    if ! kill -0 "$2" 2>/dev/null; then
      say "$1 stopped"
      return
    fi
    sleep 0.2
  done
  fail "$1 (pid $2) does not stop"
}

# fetch <name> <pom> <folder>: the libraries of a Java server into the folder's lib, unless they are there
fetch() {
  if cmp -s "$2" "$3/pom.xml"; then return; fi
  need mvn maven
  say "fetching $1 from Maven Central"
  rm -rf "$3/lib"
  mvn -q -B -f "$2" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$3/lib" >&2
  cp "$2" "$3/pom.xml"
}

# ---- Postgres: refuses to run as root, so root hands over to the user that Debian made ----

as_postgres() {
  if [[ $EUID == 0 ]]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

postgres_bin() {
  local newest
  newest=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1)
  [[ -n $newest ]] && echo "$newest" && return
  need pg_ctl postgresql
  dirname "$(command -v pg_ctl)"
}

postgres_answers() { "$(postgres_bin)/pg_isready" -q -U postgres -h 127.0.0.1 -p "$postgres_port"; }
postgres_runs() { pid_of "$dir/postgres/postmaster.pid" "$dir/postgres" >/dev/null; }

postgres_up() {
  local bin data=$dir/postgres
  bin=$(postgres_bin)
  if ! postgres_runs; then
    if postgres_answers; then fail "port $postgres_port belongs to another Postgres"; fi
    if [[ ! -f $data/PG_VERSION ]]; then
      mkdir -p "$data"
      if [[ $EUID == 0 ]]; then
        chown postgres "$data"
        as_postgres test -w "$data" || fail "the user postgres cannot reach $data: set BUSBAR_SERVICES_DIR"
      fi
      chmod 700 "$data"
      as_postgres "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
        fail "initdb failed: $dir/initdb.log"
    fi
    local options="-p $postgres_port -h 127.0.0.1 -k '' -c max_connections=300 -c shared_buffers=256MB"
    as_postgres "$bin/pg_ctl" -D "$data" -l "$data/server.log" -W -o "$options -c max_wal_size=2GB" start >/dev/null
  fi
  wait_for postgres "$data/server.log" postgres_answers
}

postgres_down() {
  postgres_runs || return 0
  as_postgres "$(postgres_bin)/pg_ctl" -D "$dir/postgres" -m fast -w stop >/dev/null
  say 'postgres stopped'
}

# ---- Redis ----

redis_answers() { [[ $(redis-cli -h 127.0.0.1 -p "$redis_port" ping 2>/dev/null) == PONG ]]; }
redis_runs() { pid_of "$dir/redis/redis.pid" "127.0.0.1:$redis_port" >/dev/null; }

redis_up() {
  need redis-server redis-server
  need redis-cli redis-tools
  if ! redis_runs; then
    if redis_answers; then fail "port $redis_port belongs to another Redis"; fi
    mkdir -p "$dir/redis"
    redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$dir/redis" --pidfile "$dir/redis/redis.pid" \
      --logfile "$dir/redis/server.log" --daemonize yes --save '' --appendonly no --maxmemory-policy noeviction >/dev/null
  fi
  wait_for redis "$dir/redis/server.log" redis_answers
}

redis_down() {
  local pid
  pid=$(pid_of "$dir/redis/redis.pid" "127.0.0.1:$redis_port") || return 0
  stop_pid redis "$pid"
}

# ---- Kafka ----

# An ApiVersions request (key 18, version 0) and the length of its answer: a broker answers once it has joined.
kafka_answers() {
  local bytes
  bytes=$(
    { exec 3<>"/dev/tcp/127.0.0.1/$kafka_port"; } 2>/dev/null || exit 0
    printf '\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff' >&3
    timeout 2 head -c 4 <&3 | wc -c
  )
  [[ $bytes == 4 ]]
}

kafka_runs() { pid_of "$dir/kafka/kafka.pid" "$dir/kafka/server.properties" >/dev/null; }

kafka_up() {
  local home=$dir/kafka
  need java default-jre-headless
  if ! kafka_runs; then
    if kafka_answers; then fail "port $kafka_port belongs to another Kafka"; fi
    mkdir -p "$home"
    fetch Kafka "$here/pom.xml" "$home"
    # message.max.bytes: the gateway takes frames up to 4 MiB, topics and producer 5 MiB, this a little more for
    # headers. The cleaner's buffer would otherwise take a quarter of this heap.
    cat >"$home/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$kafka_port,CONTROLLER://127.0.0.1:$((kafka_port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$kafka_port
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$((kafka_port + 1))
log.dirs=$home/data
auto.create.topics.enable=false
message.max.bytes=5767168
replica.fetch.max.bytes=5767168
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=6000
log.retention.hours=24
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
PROPERTIES
    local java=(java -Xms128m -Xmx512m -cp "$home/lib/*" "-Dlog4j2.configurationFile=$here/log4j2.xml")
    if [[ ! -f $home/data/meta.properties ]]; then
      local id
      id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | tr -d '=')
      "${java[@]}" kafka.tools.StorageTool format -t "$id" -c "$home/server.properties" >"$home/format.log" 2>&1 ||
        fail "formatting Kafka's storage failed: $home/format.log"
    fi
    nohup setsid "${java[@]}" kafka.Kafka "$home/server.properties" >"$home/server.log" 2>&1 </dev/null 3>&- &
    echo $! >"$home/kafka.pid"
  fi
  wait_for kafka "$home/server.log" kafka_answers
}

kafka_down() {
  local pid
  pid=$(pid_of "$dir/kafka/kafka.pid" "$dir/kafka/server.properties") || return 0
  stop_pid kafka "$pid"
}

# ---- S3: objects in a folder, as Amazon's client sees them ----

s3_answers() { [[ $(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$s3_port/") == 403 ]]; }
s3_runs() { pid_of "$dir/s3/s3.pid" "$dir/s3/s3proxy.conf" >/dev/null; }

s3_up() {
  local home=$dir/s3
  need java default-jre-headless
  need curl curl
  if ! s3_runs; then
    if s3_answers; then fail "port $s3_port belongs to another S3 server"; fi
    mkdir -p "$home/data"
    fetch S3Proxy "$here/s3/pom.xml" "$home"
    cat >"$home/s3proxy.conf" <<PROPERTIES
s3proxy.endpoint=http://127.0.0.1:$s3_port
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity=busbar
s3proxy.credential=busbar-secret
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir=$home/data
jclouds.identity=unused
jclouds.credential=unused
PROPERTIES
    local java=(java -Xmx256m -cp "$home/lib/*" "-Dlogback.configurationFile=$here/s3/logback.xml")
    nohup setsid "${java[@]}" org.gaul.s3proxy.Main --properties "$home/s3proxy.conf" \
      >"$home/server.log" 2>&1 </dev/null 3>&- &
    echo $! >"$home/s3.pid"
  fi
  wait_for s3 "$home/server.log" s3_answers
}

s3_down() {
  local pid
  pid=$(pid_of "$dir/s3/s3.pid" "$dir/s3/s3proxy.conf") || return 0
  stop_pid s3 "$pid"
}

# ---- verbs ----

variables() {
  local name=$1 value=$2
  echo "export BUSBAR_$name=$value TEST_$name=$value"
}

verb=${1:-}
shift || true
services=${*:-postgres redis kafka s3}
for service in $services; do
  [[ $service =~ ^(postgres|redis|kafka|s3)$ ]] || fail "unknown service: $service"
done

case $verb in
up)
  mkdir -p "$dir"
  for service in $services; do "${service}_up"; done
  # Nobody needs a password here, and there is one copy of everything.
  echo 'export BUSBAR_DEV_SERVICES=true'
  for service in $services; do
    case $service in
    postgres) variables DATABASE_URL "postgres://postgres@127.0.0.1:$postgres_port/postgres" ;;
    redis) variables REDIS_URL "redis://127.0.0.1:$redis_port" ;;
    kafka)
      variables KAFKA_BROKERS "127.0.0.1:$kafka_port"
      # For tests that break brokers of their own.
      echo "export TEST_KAFKA_LIBRARIES=$dir/kafka/lib"
      ;;
    # For tests alone: they make buckets of their own.
    s3) echo "export TEST_S3_URL=http://busbar:busbar-secret@127.0.0.1:$s3_port" ;;
    esac
  done
  ;;
down)
  for service in $services; do "${service}_down"; done
  ;;
status)
  all=0
  for service in $services; do
    port_name=${service}_port
    if "${service}_runs" && "${service}_answers"; then
      echo "$service up 127.0.0.1:${!port_name}"
    else
      echo "$service down"
      all=1
    fi
  done
  exit $all
  ;;
*)
  sed -n '2,15p' "$0" >&2
  exit 2
  ;;
esac
