# shellcheck shell=bash
# `./dev demo` and `./dev bench`.

cmd_demo() {
  local check=''
  while (($#)); do
    case $1 in
      --check) check=1 ;;
      *) die "usage: ./dev demo [--check]" ;;
    esac
    shift
  done
  # The demo plays Google's part too, so real credentials in the environment are not for it.
  unset GOOGLE_CLIENT_ID GOOGLE_CLIENT_SECRET GOOGLE_REDIRECT_URI
  with_lock setup ensure_setup
  with_lock build-dev build dev "${stack_targets[@]}"
  if [[ $check ]]; then
    use_stack demo-check
    trap _demo_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
  fi
  with_lock "stack${check:+-demo-check}" stack_up ''
  local status=0 environment
  mapfile -t environment < <(stack_environment)
  env "${environment[@]}" python3 -B "$root/tools/dev/demo.py" || status=$?
  if [[ ! $check ]]; then _explain_stack; fi
  exit "$status"
}

_demo_end() {
  local status=$?
  trap - EXIT
  if ((status != 0)); then
    local name
    for name in "${stack_processes[@]}"; do
      say "the end of $name's log:"
      log_tail "$(_process_dir "$name")/log" 8
    done
  fi
  stack_down || status=1
  stack_remove || status=1
  exit "$status"
}

cmd_bench() {
  with_lock setup ensure_setup
  with_lock build-release build release "${stack_targets[@]}" bench-tool
  CALBRIDGE_BENCH_BUILD="$root/build/release" CALBRIDGE_DISCOVERY_DIR="$discovery_dir" "$root/tests/bench/run" "$@"
}
