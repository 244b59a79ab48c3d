# shellcheck shell=bash
# `./dev stack NAME ...`: stacks of their own for the end-to-end tests, and single parts of them ended and started.

_stack_stop_one() { # PROCESS
  case $1 in
    postgresql) pg_stop "$stack_dir/postgresql" ;;
    kafka) kafka_stop "$stack_dir/kafka" ;;
    *) stop_process "$1" "$(_process_dir "$1")/pid" ;;
  esac
}

# Ends it as a crash would.
_stack_kill_one() { # PROCESS
  local dir pid
  case $1 in
    postgresql | kafka) dir=$stack_dir/$1 ;;
    *) dir=$(_process_dir "$1") ;;
  esac
  pid=$(running_pid "$dir/pid") || die "$1 does not run"
  kill -s KILL "$pid"
  wait_until 10 _process_gone "$dir/pid" || die "$1 (pid $pid) cannot be ended"
}

_stack_start_one() { # PROCESS
  case $1 in
    postgresql) pg_start "$stack_dir/postgresql" scram ;;
    kafka)
      kafka_start "$stack_dir/kafka"
      kafka_wait "$stack_dir/kafka"
      ;;
    *)
      _load_secrets
      _choose_ports
      _google_mode ''
      _apply_process "$1"
      ;;
  esac
}

# For the end-to-end tests: a stack of their own by name, and single parts of it. Expects a build.
cmd_stack() {
  local name=${1:-} action=${2:-} process=${3:-}
  [[ $name && $action ]] || die "usage: ./dev stack NAME up | down | env | start PROCESS | stop PROCESS | kill PROCESS"
  use_stack "$name"
  unset GOOGLE_CLIENT_ID GOOGLE_CLIENT_SECRET GOOGLE_REDIRECT_URI
  case $action in
    up)
      mkdir -p "$stack_dir"
      printf '%s\n' "${CALBRIDGE_TEST_RUN:-}" >"$stack_dir/test_run"
      with_lock "stack-$name" stack_up ''
      stack_environment
      ;;
    down)
      with_lock "stack-$name" stack_down
      with_lock "stack-$name" stack_remove
      rm -f "$run_dir/stack-$name.lock"
      ;;
    env)
      _load_ports
      stack_environment
      ;;
    start | stop | kill) with_lock "stack-$name" "_stack_${action}_one" "$process" ;;
    *) die "there is no '$action' for a stack" ;;
  esac
}

_load_ports() {
  local file
  for file in "$stack_dir"/ports/*; do port_of[$(basename "$file")]=$(<"$file"); done
}

# What a driver needs to know, as NAME=value lines. The files it names hold the secrets.
stack_environment() {
  local name
  printf '%s\n' "DEMO_STACK=$stack_dir" "DEMO_GATEWAY=$(_gateway_url)" "DEMO_EMULATOR=http://127.0.0.1:${port_of[google-emulator]}" \
    "DEMO_INGEST=http://127.0.0.1:${port_of[webhook-ingest]}" "DEMO_KAFKA=127.0.0.1:$(<"$stack_dir/kafka/port")" \
    "DEMO_DATABASE=host=127.0.0.1 port=$(<"$stack_dir/postgresql/port") dbname=calbridge user=postgres passfile=$stack_dir/pgpass"
  for name in "${stack_services[@]}"; do printf 'DEMO_PRIVATE_%s=http://127.0.0.1:%s\n' "${name//-/_}" "${port_of[$name.private]}"; done
}

# Whatever the tests of one run left behind when they were ended from outside.
stacks_down_of() { # RUN
  local dir
  for dir in "$run_dir"/stacks/*/; do
    [[ $(cat "$dir/test_run" 2>/dev/null) == "$1" ]] || continue
    use_stack "$(basename "$dir")"
    stack_down
    stack_remove
  done
}
