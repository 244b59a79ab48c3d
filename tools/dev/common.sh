# shellcheck shell=bash
# What every part of `./dev` uses: messages, places, processes known by pid, ports.

# Progress goes to standard error, so that what a command prints on standard output can be used by another program.
say() { printf '%s\n' "dev: $*" >&2; }

# die MESSAGE...: one line each; the last one should tell what to do.
die() {
  local line
  for line in "$@"; do printf '%s\n' "dev: $line" >&2; done
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

cache_dir="${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/calbridge"
run_dir="$root/.run"

# with_lock NAME COMMAND...: one `./dev` at a time works on the same thing. Started servers must not inherit the lock:
# start_process closes descriptor 9.
with_lock() {
  local name=$1
  shift
  mkdir -p "$run_dir"
  exec 9>"$run_dir/$name.lock"
  if ! flock -n 9; then
    say "waiting for another ./dev that works on $name"
    flock -w 1200 9 || die "another ./dev still works on $name after 20 minutes; end it and try again"
  fi
  "$@"
  exec 9>&-
}

# A pid alone can be reused by a stranger; with its start time it names one process for good.
_process_started_at() { # PID -> clock ticks since boot, nothing when there is no such process or it is a zombie
  local stat
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  stat=${stat##*) }
  # shellcheck disable=SC2086
  set -- $stat
  [[ $1 == Z ]] || printf '%s\n' "${20}"
}

_write_pid() { # FILE PID
  printf '%s %s\n' "$2" "$(_process_started_at "$2")" >"$1"
}

# running_pid FILE: prints the pid when the process the file names still runs, else fails.
running_pid() {
  local pid started
  [[ -r $1 ]] || return 1
  read -r pid started <"$1" || return 1
  [[ -n ${started:-} && $(_process_started_at "$pid") == "$started" ]] || return 1
  printf '%s\n' "$pid"
}

# start_process NAME PIDFILE LOGFILE COMMAND...: in a session of its own, so that Ctrl-C here does not reach it.
start_process() {
  local pid_file=$2 log_file=$3
  shift 3
  setsid -- "$@" </dev/null >>"$log_file" 2>&1 9>&- &
  local pid=$!
  disown "$pid" 2>/dev/null || true
  # setsid becomes the command itself; until then the start time is already that of the same process.
  _write_pid "$pid_file" "$pid"
}

# stop_process NAME PIDFILE [SIGNAL [SECONDS]]: asks, waits, and only then insists.
stop_process() {
  local name=$1 pid_file=$2 signal=${3:-TERM} seconds=${4:-20} pid
  if ! pid=$(running_pid "$pid_file"); then
    rm -f "$pid_file"
    return 0
  fi
  kill -s "$signal" "$pid" 2>/dev/null || true
  if ! wait_until "$seconds" _process_gone "$pid_file"; then
    say "$name (pid $pid) did not stop in $seconds s: ending it"
    kill -s KILL "$pid" 2>/dev/null || true
    wait_until 10 _process_gone "$pid_file" || die "$name (pid $pid) cannot be ended"
  fi
  rm -f "$pid_file"
}

_process_gone() { ! running_pid "$1" >/dev/null; }

# wait_until SECONDS COMMAND...: polls; fails when the time is over.
wait_until() {
  local until=$((SECONDS + $1))
  shift
  while ! "$@"; do
    ((SECONDS < until)) || return 1
    sleep 0.1
  done
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port [PREFERRED]: sets chosen_port to the preferred port, or the next free one after it; without one, to a random
# one below the range the kernel hands out by itself. Ports already chosen by this run are skipped.
_chosen_ports=" "
chosen_port=
free_port() {
  local port=${1:-} tries
  for tries in {1..200}; do
    [[ -n $port ]] || port=$((21000 + RANDOM % 9000))
    if [[ $_chosen_ports != *" $port "* ]] && ! port_answers "$port"; then
      chosen_port=$port
      _chosen_ports+="$port "
      return 0
    fi
    if [[ -n ${1:-} ]]; then port=$((port + 1)); else port=; fi
  done
  die "no free port found on 127.0.0.1 after $tries tries: end what listens there and try again"
}

# kept_port FILE [PREFERRED]: sets chosen_port to the one the file names, unless somebody else has taken it meanwhile.
kept_port() {
  if [[ -s $1 ]] && chosen_port=$(<"$1") && ! port_answers "$chosen_port"; then
    _chosen_ports+="$chosen_port "
    return 0
  fi
  free_port "${2:-}"
  printf '%s\n' "$chosen_port" >"$1"
}

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

log_tail() { # FILE
  [[ -s $1 ]] && tail -n "${2:-15}" "$1" | sed 's/^/    /' >&2
  return 0
}
