# shellcheck shell=bash
# A private PostgreSQL cluster and a private single-node Kafka, each in a folder of its own under .run.
# Every function takes that folder; ports are kept in it, so a restart finds the same ones.

_pg_bin() {
  local newest
  newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -t/ -k5,5n | tail -n 1)
  [[ -x $newest ]] || die "the PostgreSQL server is missing: run ./dev setup"
  printf '%s\n' "${newest%/postgres}"
}

# PostgreSQL refuses to run as root: root hands it to the package's own user.
_pg_run=()
_pg_user() {
  _pg_run=()
  if ((EUID == 0)); then
    local user=postgres
    id -u "$user" >/dev/null 2>&1 || user=nobody
    _pg_run=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups)
  fi
}

# Prints where the cluster lives: in FOLDER, or, when its unprivileged user cannot get there (a clone under /root), in /var/tmp.
_pg_data() { # FOLDER
  _pg_user
  if ((EUID != 0)) || "${_pg_run[@]}" test -x "$1"; then
    printf '%s\n' "$1/data"
  else
    local hash
    hash=$(printf '%s' "$1" | sha256sum)
    printf '%s\n' "/var/tmp/calbridge-postgresql-${hash:0:16}"
  fi
}

pg_running() { running_pid "$1/pid" >/dev/null; } # FOLDER

# pg_start FOLDER AUTH [PREFERRED_PORT]: AUTH is trust, or scram with the superuser's password in FOLDER/password.
pg_start() {
  local dir=$1 auth=$2 bin data port password_file
  if pg_running "$dir"; then return 0; fi
  bin=$(_pg_bin)
  mkdir -p "$dir"
  data=$(_pg_data "$dir")
  _pg_user

  if [[ ! -s $data/PG_VERSION ]]; then
    say "making a PostgreSQL cluster"
    rm -rf "$data"
    mkdir -p "$data"
    local options=(--username=postgres --encoding=UTF8 --locale=C.UTF-8 --auth=trust -D "$data")
    if [[ $auth == scram ]]; then
      [[ -s $dir/password ]] || (umask 077 && random_hex 24 >"$dir/password")
      password_file=$(mktemp)
      cat "$dir/password" >"$password_file"
      options=(--username=postgres --encoding=UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --pwfile="$password_file" -D "$data")
    fi
    if ((EUID == 0)); then
      chown "${_pg_run[1]#--reuid=}:" "$data"
      [[ -z ${password_file:-} ]] || chown "${_pg_run[1]#--reuid=}:" "$password_file"
    fi
    (cd / && "${_pg_run[@]}" "$bin/initdb" "${options[@]}") >"$dir/initdb.log" 2>&1 || {
      rm -f "${password_file:-}"
      log_tail "$dir/initdb.log"
      die "initdb failed (above): mend what it says and try again"
    }
    rm -f "${password_file:-}"
  elif [[ $(<"$data/PG_VERSION") != "$(basename "$(dirname "$bin")")" ]]; then
    die "the cluster in $data belongs to PostgreSQL $(<"$data/PG_VERSION"), installed is $bin" "take it away with: ./dev clean --data"
  fi

  kept_port "$dir/port" "${3:-}"
  port=$chosen_port
  start_process postgresql "$dir/pid" "$dir/log" "${_pg_run[@]}" "$bin/postgres" -D "$data" -p "$port" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 -c shared_buffers=64MB \
    -c timezone=UTC -c log_min_messages=warning -c log_line_prefix='%m [%p] %u@%d ' -c logging_collector=off
  if ! wait_until 60 _pg_ready_or_dead "$dir" "$bin" || ! pg_running "$dir"; then
    log_tail "$dir/log"
    die "PostgreSQL did not start (its log is above and in $dir/log)"
  fi
}

_pg_ready_or_dead() { # FOLDER BIN
  pg_running "$1" || return 0
  "$2/pg_isready" -q -h 127.0.0.1 -p "$(<"$1/port")"
}

# INT is PostgreSQL's fast shutdown: open connections are ended, data is on disk.
pg_stop() { stop_process PostgreSQL "$1/pid" INT 60; } # FOLDER

# Takes the cluster away, wherever it lives.
pg_remove() { # FOLDER
  [[ -d $1 ]] || return 0
  rm -rf "$(_pg_data "$1")" "$1"
}

kafka_running() { running_pid "$1/pid" >/dev/null; } # FOLDER

# kafka_start FOLDER [PREFERRED_PORT]
kafka_start() {
  local dir=$1 libs port controller_port cluster_id
  if kafka_running "$dir"; then return 0; fi
  libs=$(kafka_libs_dir)
  [[ -d $libs ]] || die "Apache Kafka is missing: run ./dev setup"
  have java || die "Java is missing: run ./dev setup"
  mkdir -p "$dir"
  kept_port "$dir/port" "${2:-}"
  port=$chosen_port
  kept_port "$dir/controller_port" "$((port + 1))"
  controller_port=$chosen_port
  sed -e "s|@PORT@|$port|g" -e "s|@CONTROLLER_PORT@|$controller_port|g" -e "s|@DATA@|$dir/data|g" \
    "$root/deploy/kafka/server.properties" >"$dir/server.properties"

  if [[ ! -s $dir/data/meta.properties ]]; then
    say "formatting a Kafka data directory"
    cluster_id=a$(head -c 15 /dev/urandom | base64 | tr '+/' '-_')b
    java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$libs/*" kafka.tools.StorageTool format -t "$cluster_id" -c "$dir/server.properties" \
      >"$dir/format.log" 2>&1 || {
      log_tail "$dir/format.log"
      die "the Kafka data directory could not be formatted (above)"
    }
  fi
  start_process kafka "$dir/pid" "$dir/log" java -Xms512m -Xmx512m -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -Djava.awt.headless=true \
    -Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$libs/*" kafka.Kafka "$dir/server.properties"
}

# Apart from kafka_start, so that other things can start while the broker does.
kafka_wait() { # FOLDER
  if ! wait_until 90 _kafka_ready_or_dead "$1" || ! kafka_running "$1"; then
    log_tail "$1/log"
    die "Kafka did not start (its log is above and in $1/log)"
  fi
}

_kafka_ready_or_dead() { # FOLDER
  kafka_running "$1" || return 0
  port_answers "$(<"$1/port")" && kcat -b "127.0.0.1:$(<"$1/port")" -L -m 2 >/dev/null 2>&1
}

kafka_stop() { stop_process Kafka "$1/pid" TERM 30; } # FOLDER
