# shellcheck shell=bash
# `./dev up`, `down`, `status`, `logs`: the whole system on loopback, every part a process of its own.
#
# What a process should look like (binary, settings, arguments) is written down before it starts. Running `./dev up` again
# compares: the same and running is left alone, anything else is restarted.

stack_dir="$run_dir/stack"
stack_services=(oauth-gateway webhook-ingest sync-worker channel-renewer)
stack_processes=(google-emulator "${stack_services[@]}")
# What a stack needs built; the tests are not.
stack_targets=(calbridgectl "${stack_processes[@]}")

# Preferred ports; the next free one is taken when something else listens there, and kept from then on.
declare -A preferred_port=(
  [postgresql]=15432 [kafka]=19092 [google-emulator]=8090
  [oauth-gateway]=8080 [webhook-ingest]=8081
  [oauth-gateway.private]=9101 [webhook-ingest.private]=9102 [sync-worker.private]=9103 [channel-renewer.private]=9104
)

# use_stack NAME: another folder and other ports, so that a check does not disturb the stack somebody works with.
use_stack() {
  [[ $1 =~ ^[a-z0-9_-]+$ ]] || die "a stack's name is lower-case letters, digits, - and _; it was '$1'"
  stack_dir="$run_dir/stacks/$1"
  local name
  for name in "${!preferred_port[@]}"; do preferred_port[$name]=; done
}

_process_dir() { printf '%s\n' "$stack_dir/processes/$1"; }

# A process that runs keeps its port; otherwise the kept one if it is still free.
declare -A port_of=()
_choose_port() { # KEY PROCESS
  local file="$stack_dir/ports/$1"
  mkdir -p "$stack_dir/ports"
  if [[ -s $file ]] && running_pid "$(_process_dir "$2")/pid" >/dev/null; then
    port_of[$1]=$(<"$file")
  else
    kept_port "$file" "${preferred_port[$1]:-}"
    port_of[$1]=$chosen_port
  fi
}

_choose_ports() {
  local name
  _choose_port google-emulator google-emulator
  _choose_port oauth-gateway oauth-gateway
  _choose_port webhook-ingest webhook-ingest
  for name in "${stack_services[@]}"; do _choose_port "$name.private" "$name"; done
}

# Secrets are made once and kept in a file only its owner can read.
declare -A secret=()
_load_secrets() {
  local file="$stack_dir/secrets" line name wanted
  mkdir -p "$stack_dir"
  if [[ ! -e $file ]]; then (umask 077 && : >"$file"); fi
  secret=()
  while read -r line; do secret[${line%%=*}]=${line#*=}; done <"$file"
  for wanted in database_owner database_gateway database_ingest database_worker database_renewer google_client_secret launch_key; do
    [[ ${secret[$wanted]:-} ]] || secret[$wanted]=$(random_hex 24)
  done
  for wanted in key_ring channel_keys; do
    [[ ${secret[$wanted]:-} ]] || secret[$wanted]="k1:$(head -c 32 /dev/urandom | base64 -w 0)"
  done
  (umask 077 && for name in "${!secret[@]}"; do printf '%s=%s\n' "$name" "${secret[$name]}"; done | sort >"$file.new")
  mv "$file.new" "$file"
}

# Where Google is: emulator, URL (--google) or google (real credentials in the environment).
_google_mode() { # URL
  if [[ ${1:-} ]]; then
    [[ $1 =~ ^https?://[^/[:space:]@#?]+(/[^[:space:]#?]*)?$ ]] ||
      die "--google needs an absolute http(s) URL without user, query or fragment, for example http://127.0.0.1:8090; it was '$1'"
    google_mode=url google_url=${1%/}
  elif [[ ${GOOGLE_CLIENT_ID:-} || ${GOOGLE_CLIENT_SECRET:-} || ${GOOGLE_REDIRECT_URI:-} ]]; then
    local name missing=()
    for name in GOOGLE_CLIENT_ID GOOGLE_CLIENT_SECRET GOOGLE_REDIRECT_URI; do [[ ${!name:-} ]] || missing+=("$name"); done
    ((${#missing[@]} == 0)) || die "to run against Google itself, set these too: ${missing[*]}" \
      "or unset GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET and GOOGLE_REDIRECT_URI to run against the emulator"
    google_mode=google google_url=
  else
    google_mode=emulator google_url="http://127.0.0.1:${port_of[google-emulator]}"
  fi
}

_put() { printf '%s=%q\n' "$1" "$2"; }

_database_settings() { # ROLE
  _put CALBRIDGE_DATABASE_URL "host=127.0.0.1 port=$(<"$stack_dir/postgresql/port") dbname=calbridge user=calbridge_$1"
  _put CALBRIDGE_DATABASE_PASSWORD "${secret[database_$1]}"
}

_google_settings() {
  [[ $google_mode == google ]] || _put CALBRIDGE_GOOGLE_URL "$google_url"
}

_client_settings() {
  _put GOOGLE_CLIENT_ID "${GOOGLE_CLIENT_ID:-calbridge-dev.apps.googleusercontent.com}"
  _put GOOGLE_CLIENT_SECRET "${GOOGLE_CLIENT_SECRET:-${secret[google_client_secret]}}"
  _put GOOGLE_REDIRECT_URI "${GOOGLE_REDIRECT_URI:-$(_gateway_url)/settings/calendar/callback}"
}

_gateway_url() { printf 'http://127.0.0.1:%s\n' "${port_of[oauth-gateway]}"; }

# Where browsers reach the gateway: where Google sends them back, or here.
_public_url() {
  if [[ ${GOOGLE_REDIRECT_URI:-} =~ ^(https?://[^/?#]+) ]]; then printf '%s\n' "${BASH_REMATCH[1]}"; else _gateway_url; fi
}

# What a process is told. A service refuses a CALBRIDGE_ name it does not know, so each gets its own and no other.
_settings() { # PROCESS
  if [[ $1 == google-emulator ]]; then
    _client_settings
    return 0
  fi
  _put CALBRIDGE_INSTANCE_ID "$1-0"
  _put CALBRIDGE_PRIVATE_PORT "${port_of[$1.private]}"
  _put CALBRIDGE_KAFKA_BROKERS "127.0.0.1:$(<"$stack_dir/kafka/port")"
  case $1 in
    oauth-gateway)
      _database_settings gateway
      _put CALBRIDGE_KEY_RING "${secret[key_ring]}"
      _put CALBRIDGE_LAUNCH_KEY "${secret[launch_key]}"
      _put CALBRIDGE_PORT "${port_of[oauth-gateway]}"
      _put CALBRIDGE_PUBLIC_URL "$(_public_url)"
      _google_settings
      _client_settings
      ;;
    webhook-ingest)
      _database_settings ingest
      _put CALBRIDGE_CHANNEL_KEYS "${secret[channel_keys]}"
      _put CALBRIDGE_PORT "${port_of[webhook-ingest]}"
      ;;
    sync-worker)
      _database_settings worker
      _put CALBRIDGE_KEY_RING "${secret[key_ring]}"
      _google_settings
      _client_settings
      ;;
    channel-renewer)
      _database_settings renewer
      _put CALBRIDGE_KEY_RING "${secret[key_ring]}"
      _put CALBRIDGE_CHANNEL_KEYS "${secret[channel_keys]}"
      _put CALBRIDGE_WEBHOOK_ADDRESS "$(_webhook_address)"
      _google_settings
      _client_settings
      ;;
  esac
}

# The emulator sends what is meant for this name to webhook-ingest's port; the real Google needs an address it can reach.
_webhook_address() {
  if [[ $google_mode == google ]]; then
    printf '%s\n' "${CALBRIDGE_WEBHOOK_ADDRESS:-}"
  else
    printf 'https://hooks.calbridge.test/webhooks/google\n'
  fi
}

# Settings in the caller's environment that the service knows and that are not decided here, such as CALBRIDGE_LOG_LEVEL.
_overrides() { # PROCESS BINARY SETTINGS_FILE
  local name known
  [[ $1 != google-emulator ]] || return 0
  for name in "${!CALBRIDGE_@}"; do
    if grep -q "^$name=" "$3"; then continue; fi
    [[ ${known:-} ]] || known=$("$2" --help 2>/dev/null || true)
    if grep -qw "$name" <<<"$known"; then _put "$name" "${!name}"; fi
  done
}

_arguments() { # PROCESS: one a line
  case $1 in
    google-emulator)
      printf '%s\n' --port "${port_of[google-emulator]}" --discovery "$discovery_dir" \
        --push-map "https://hooks.calbridge.test=${CALBRIDGE_PUSH_TO:-http://127.0.0.1:${port_of[webhook-ingest]}}" \
        --user anna@example.com --user bob@example.com
      ;;
  esac
}

# Tests of another preset bring their own binaries.
_binary() { printf '%s\n' "${CALBRIDGE_BINARY_DIR:-$root/build/dev/bin}/$1"; }

_wanted() { [[ $1 != google-emulator || $google_mode == emulator ]]; } # PROCESS

# apply_process NAME: starts it, restarts it, or leaves it alone.
_apply_process() {
  local name=$1 dir binary print old_print
  dir=$(_process_dir "$name")
  if ! _wanted "$name"; then
    stop_process "$name" "$dir/pid"
    return 0
  fi
  binary=$(_binary "$name")
  [[ -x $binary ]] || die "$binary was not built: run ./dev build"
  mkdir -p "$dir"
  (umask 077 && _settings "$name" >"$dir/settings.new" && _overrides "$name" "$binary" "$dir/settings.new" >>"$dir/settings.new")
  _arguments "$name" >"$dir/arguments"
  print=$(cat "$binary" "$dir/settings.new" "$dir/arguments" | sha256sum)
  old_print=$(cat "$dir/fingerprint" 2>/dev/null || true)
  mv "$dir/settings.new" "$dir/settings"
  if running_pid "$dir/pid" >/dev/null; then
    [[ $print != "$old_print" ]] || return 0
    say "restarting $name: its binary or a setting changed"
    stop_process "$name" "$dir/pid"
  else
    say "starting $name"
  fi
  [[ $name != google-emulator ]] || _forget_channels
  if [[ -f $dir/log && $(stat -c %s "$dir/log") -gt 50000000 ]]; then mv "$dir/log" "$dir/log.1"; fi
  local arguments=()
  mapfile -t arguments <"$dir/arguments"
  # Secrets go through a file and never stand on a command line, which every user of the machine can read.
  # shellcheck disable=SC2016
  start_process "$name" "$dir/pid" "$dir/log" env -i PATH=/usr/bin:/bin LANG=C.UTF-8 TZ=UTC \
    bash --norc -c 'set -a; . "$1"; set +a; exec "${@:2}"' launch "$dir/settings" "$binary" "${arguments[@]}"
  printf '%s\n' "$print" >"$dir/fingerprint"
}

# The emulator keeps its world in memory: a fresh one knows no channel, and would never say so. New ones are opened; the calendars' old
# sync tokens are refused by it, so what it lost is noticed by a full pass.
_forget_channels() {
  stack_psql -d calbridge <<'SQL'
update channels set state = 'stopped', state_reason = 'the emulator was restarted', stopped_at = now() where state <> 'stopped';
update calendars set channel_due_at = now();
SQL
}

_health_url() { # PROCESS
  case $1 in
    google-emulator) printf 'http://127.0.0.1:%s/\n' "$(<"$stack_dir/ports/google-emulator")" ;;
    *) printf 'http://127.0.0.1:%s/readyz\n' "$(<"$stack_dir/ports/$1.private")" ;;
  esac
}

_answers_ready() { # PROCESS
  curl -fsS -o /dev/null --max-time 2 "$(_health_url "$1")" 2>/dev/null
}

_ready_or_dead() { # PROCESS
  running_pid "$(_process_dir "$1")/pid" >/dev/null || return 0
  _answers_ready "$1"
}

_wait_ready() { # PROCESS
  local name=$1 dir
  dir=$(_process_dir "$name")
  if ! wait_until 60 _ready_or_dead "$name"; then
    curl -sS --max-time 2 "$(_health_url "$name")" >&2 || true
    log_tail "$dir/log"
    die "$name is running and not ready after 60 s: its checks and the end of its log are above (./dev logs $name)"
  fi
  if ! running_pid "$dir/pid" >/dev/null; then
    rm -f "$dir/pid"
    log_tail "$dir/log"
    die "$name ended while it started: the end of its log is above (./dev logs $name)"
  fi
}

# psql as the owner of the cluster. The password is in a file, never on the command line.
stack_psql() {
  PGPASSFILE="$stack_dir/pgpass" psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(<"$stack_dir/postgresql/port")" -U postgres "$@"
}

# Database, migrations and the roles' passwords; all of it may be done again.
_prepare_database() {
  local role
  (umask 077 && printf '*:*:*:postgres:%s\n' "$(<"$stack_dir/postgresql/password")" >"$stack_dir/pgpass")
  if [[ $(stack_psql -d postgres -Atc "select 1 from pg_database where datname = 'calbridge'") != 1 ]]; then
    stack_psql -d postgres -c "create database calbridge"
  fi
  _ctl migrate || die "the migrations failed: their messages are above"
  {
    for role in gateway ingest worker renewer; do
      printf "alter role calbridge_%s login password '%s';\n" "$role" "${secret[database_$role]}"
    done
  } | stack_psql -d calbridge || die "the services' database roles could not be given their passwords: see the message above"
}

_ctl() {
  env -i PATH=/usr/bin:/bin LANG=C.UTF-8 TZ=UTC CALBRIDGE_DATABASE_PASSWORD_FILE="$stack_dir/postgresql/password" \
    CALBRIDGE_DATABASE_URL="host=127.0.0.1 port=$(<"$stack_dir/postgresql/port") dbname=calbridge user=postgres" \
    CALBRIDGE_KAFKA_BROKERS="127.0.0.1:$(<"$stack_dir/kafka/port")" \
    "$(_binary calbridgectl)" "$@" >>"$stack_dir/calbridgectl.log" 2>&1 || {
    log_tail "$stack_dir/calbridgectl.log"
    return 1
  }
}

stack_up() { # [GOOGLE_URL]
  local name
  mkdir -p "$stack_dir/processes"
  _load_secrets
  kafka_start "$stack_dir/kafka" "${preferred_port[kafka]}"
  pg_start "$stack_dir/postgresql" scram "${preferred_port[postgresql]}"
  _choose_ports
  _google_mode "${1:-}"
  kafka_wait "$stack_dir/kafka"
  _prepare_database
  _ctl topics apply || die "the topics could not be created: see the messages above"
  for name in "${stack_processes[@]}"; do _apply_process "$name"; done
  for name in "${stack_processes[@]}"; do
    if _wanted "$name"; then _wait_ready "$name"; fi
  done
  printf '%s\n' "$google_mode" >"$stack_dir/google_mode"
}

stack_down() {
  local i
  for ((i = ${#stack_processes[@]} - 1; i >= 0; i--)); do
    stop_process "${stack_processes[i]}" "$(_process_dir "${stack_processes[i]}")/pid"
  done
  kafka_stop "$stack_dir/kafka"
  pg_stop "$stack_dir/postgresql"
}

stack_remove() {
  pg_remove "$stack_dir/postgresql"
  rm -rf "$stack_dir"
}

_explain_stack() {
  say "up. Where things are:"
  [[ $google_mode != emulator ]] || say "  a calendar to play with   http://127.0.0.1:${port_of[google-emulator]}/"
  say "  oauth-gateway             $(_gateway_url)/"
  say "  webhook-ingest            http://127.0.0.1:${port_of[webhook-ingest]}/"
  say "  PostgreSQL                127.0.0.1:$(<"$stack_dir/postgresql/port"), database calbridge"
  say "  Kafka                     127.0.0.1:$(<"$stack_dir/kafka/port")"
  if [[ $google_mode == google && -z ${CALBRIDGE_WEBHOOK_ADDRESS:-} ]]; then
    say "  pushes from Google need a public https address that leads to webhook-ingest: set CALBRIDGE_WEBHOOK_ADDRESS"
  fi
  say "./dev link opens a user's settings page; ./dev status, ./dev logs SERVICE [-f], ./dev down"
}

cmd_up() {
  local google=''
  while (($#)); do
    case $1 in
      --google)
        google=${2:-}
        [[ $google ]] || die "--google needs a URL, for example: ./dev up --google http://127.0.0.1:8090"
        shift 2
        ;;
      *) die "usage: ./dev up [--google URL]" ;;
    esac
  done
  with_lock setup ensure_setup
  with_lock build-dev build dev "${stack_targets[@]}"
  with_lock stack stack_up "$google"
  _explain_stack
}

# A link into the settings page, as the CRM would show it to its user: it works once, within five minutes.
cmd_link() {
  local who=${1:-acme/anna}
  [[ $who == */* ]] || die "usage: ./dev link [TENANT/USER]"
  running_pid "$(_process_dir oauth-gateway)/pid" >/dev/null || die "oauth-gateway does not run: start it with ./dev up"
  local public
  public=$(sed -n 's/^CALBRIDGE_PUBLIC_URL=//p' "$(_process_dir oauth-gateway)/settings")
  python3 -B "$root/tools/dev/launch_link.py" "$public" "$stack_dir/secrets" "${who%%/*}" "${who#*/}"
}

cmd_down() {
  (($# == 0)) || die "usage: ./dev down"
  with_lock stack stack_down
  say "the stack is down; its data stays in .run/stack (./dev clean --data removes it)"
}

cmd_status() {
  local name pid dir port state all_ready=0 mode
  mode=$(cat "$stack_dir/google_mode" 2>/dev/null || printf emulator)
  printf '%-16s %-8s %-22s %s\n' PROCESS PID PORT STATE
  for name in postgresql kafka "${stack_processes[@]}"; do
    [[ $name != google-emulator || $mode == emulator ]] || continue
    case $name in
      postgresql | kafka)
        dir=$stack_dir/$name
        port=$(cat "$dir/port" 2>/dev/null || printf -- -)
        ;;
      *)
        dir=$(_process_dir "$name")
        port=$(cat "$stack_dir/ports/$name" 2>/dev/null || true)
        [[ ! -s $stack_dir/ports/$name.private ]] || port+="${port:+, }$(<"$stack_dir/ports/$name.private") (private)"
        ;;
    esac
    if ! pid=$(running_pid "$dir/pid"); then
      pid=- state='stopped' all_ready=1
    elif [[ $name == postgresql || $name == kafka ]]; then
      state='running'
      port_answers "$port" || { state='running, does not answer' all_ready=1; }
    elif _answers_ready "$name"; then
      state='ready'
    else
      state="not ready: $(curl -sS --max-time 2 "$(_health_url "$name")" 2>&1 | tr '\n' ' ' | cut -c1-160)" all_ready=1
    fi
    printf '%-16s %-8s %-22s %s\n' "$name" "$pid" "${port:--}" "$state"
  done
  return "$all_ready"
}

cmd_logs() {
  local name=${1:-} follow='' file
  [[ ${2:-} != -f ]] || follow=1
  case $name in
    postgresql | kafka) file=$stack_dir/$name/log ;;
    calbridgectl) file=$stack_dir/calbridgectl.log ;;
    *)
      [[ $name && " ${stack_processes[*]} " == *" $name "* ]] ||
        die "usage: ./dev logs SERVICE [-f]" "services: ${stack_processes[*]} postgresql kafka calbridgectl"
      file=$(_process_dir "$name")/log
      ;;
  esac
  [[ -e $file ]] || die "$name has written no log yet: start it with ./dev up"
  if [[ $follow ]]; then exec tail -n 200 -F "$file"; else cat "$file"; fi
}
