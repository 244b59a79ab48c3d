# shellcheck shell=bash
# `./dev build`, `./dev test`, `./dev lint`, `./dev clean`.

# The paths in a cached object are made relative and precompiled headers may be cached, so every clone shares one cache.
_ccache_environment() {
  export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
  export CCACHE_SLOPPINESS=pch_defines,time_macros
}

# A compiler under sanitizers takes up to 1.5 GB.
_jobs() {
  local cores by_memory
  cores=$(nproc)
  by_memory=$(awk '/MemAvailable/ { print int($2 / 1572864) }' /proc/meminfo)
  ((by_memory >= 1)) || by_memory=1
  printf '%s\n' "$((cores < by_memory ? cores : by_memory))"
}

_require_preset() {
  jq -e --arg preset "$1" '.configurePresets | any(.name == $preset and (.hidden | not))' "$root/CMakePresets.json" >/dev/null ||
    die "there is no preset '$1'; there are: $(jq -r '[.configurePresets[] | select(.hidden | not) | .name] | join(", ")' "$root/CMakePresets.json")"
}

# build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  _require_preset "$preset"
  _ccache_environment
  # CMake's own check re-runs it when a list of files changes; only a fresh folder needs it said.
  if [[ ! -f $root/build/$preset/build.ninja ]]; then
    cmake --preset "$preset" -Wno-dev >&2 || die "cmake could not configure the preset $preset: its messages are above"
  fi
  ninja -C "$root/build/$preset" -j "$(_jobs)" "$@" >&2 ||
    die "the build failed: the first error above is the one to mend" "build it again with: ./dev build $preset"
}

cmd_build() {
  local preset=dev
  if (($#)); then
    preset=$1
    shift
  fi
  with_lock setup ensure_setup
  local started=$SECONDS
  with_lock "build-$preset" build "$preset" "$@"
  say "built $preset in $((SECONDS - started)) s: build/$preset/bin"
}

cmd_test() {
  local preset=dev arguments=()
  while (($#)); do
    case $1 in
      --preset)
        preset=${2:-}
        [[ $preset ]] || die "--preset needs a name"
        shift 2
        ;;
      *)
        arguments+=("$1")
        shift
        ;;
    esac
  done
  with_lock setup ensure_setup
  with_lock "build-$preset" build "$preset"
  say "built $preset after $SECONDS s"

  # What was started here ends here, whatever happens in between; and silently, for ctest has the last word.
  local started_test_env=''
  test_env_running || started_test_env=1
  CALBRIDGE_TEST_RUN=$$-$(random_hex 4)
  export CALBRIDGE_TEST_RUN
  trap '_test_end "$started_test_env"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  with_lock test-env test_env_up
  CALBRIDGE_TEST_PG=$(test_env_pg)
  CALBRIDGE_TEST_KAFKA=$(test_env_kafka)
  export CALBRIDGE_TEST_PG CALBRIDGE_TEST_KAFKA CALBRIDGE_DISCOVERY_DIR="$discovery_dir" CALBRIDGE_BINARY_DIR="$root/build/$preset/bin"
  local status=0
  ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" "${arguments[@]}" 2>&1 || status=$?
  exit "$status"
}

_test_end() { # STARTED_TEST_ENV
  local status=$?
  trap - EXIT
  stacks_down_of "$CALBRIDGE_TEST_RUN" 2>/dev/null || true
  if [[ $1 ]]; then
    with_lock test-env test_env_down || true
    # A CI clone is thrown away; what lies outside it must not stay.
    [[ ${CI:-} != true ]] || test_env_remove || true
  fi
  exit "$status"
}

_tracked() { git -C "$root" ls-files -z --cached --others --exclude-standard -- "$@"; }

# lint [--tidy] [FILE...]: what can be judged without running; clang-tidy, which is slow, on request or for named files.
cmd_lint() {
  local tidy='' files=() failed=0
  while (($#)); do
    case $1 in
      --tidy) tidy=1 ;;
      -*) die "usage: ./dev lint [--tidy] [FILE...]" ;;
      *) files+=("$1") ;;
    esac
    shift
  done
  with_lock setup ensure_setup

  say "shell scripts"
  local scripts=()
  mapfile -d '' scripts < <(_tracked '*.sh' dev .ci/run)
  shellcheck -x "${scripts[@]}" || failed=1

  say "python scripts"
  local pythons=()
  mapfile -d '' pythons < <(_tracked '*.py')
  if ((${#pythons[@]})); then
    python3 - "${pythons[@]}" <<'PYTHON' || failed=1
import ast, pathlib, sys
for name in sys.argv[1:]:
    ast.parse(pathlib.Path(name).read_text(), name)
PYTHON
  fi

  if [[ -f $root/.clang-format ]]; then
    say "format of C++"
    local sources=()
    if ((${#files[@]})); then sources=("${files[@]}"); else mapfile -d '' sources < <(_tracked '*.h' '*.cpp'); fi
    clang-format-19 --dry-run -Werror "${sources[@]}" || failed=1
  fi

  local check
  for check in "$root"/tools/check_*; do
    [[ -x $check && -f $check ]] || continue
    say "$(basename "$check")"
    "$check" || failed=1
  done

  if [[ $tidy || ${#files[@]} -gt 0 ]]; then
    say "clang-tidy"
    [[ -f $root/build/dev/compile_commands.json ]] || with_lock build-dev build dev
    ((${#files[@]})) || mapfile -t files < <(git -C "$root" diff --name-only --diff-filter=d "$(git -C "$root" merge-base HEAD origin/main 2>/dev/null || printf HEAD)" -- '*.cpp')
    ((${#files[@]} == 0)) || clang-tidy-19 -p "$root/build/dev" --quiet "${files[@]}" || failed=1
  fi
  ((failed == 0)) || die "lint found the problems above"
  say "nothing to complain about"
}

cmd_clean() {
  local data='' cache=''
  while (($#)); do
    case $1 in
      --data) data=1 ;;
      --cache) cache=1 ;;
      *) die "usage: ./dev clean [--data] [--cache]" ;;
    esac
    shift
  done
  rm -rf "$root/build"
  if [[ $data ]]; then
    with_lock stack stack_down
    with_lock stack stack_remove
    with_lock test-env test_env_down
    with_lock test-env test_env_remove
  fi
  [[ ! $cache ]] || rm -rf "$cache_dir"
  say "removed: build${data:+, the databases and topics in .run}${cache:+, $cache_dir}"
}
