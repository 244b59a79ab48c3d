# shellcheck shell=bash
# `./dev setup`: the distribution's packages, the Kafka jars, Google's discovery documents, Python packages of tests. Quick when all is there.

# One line is one need; `a|b` means the first one the distribution has.
packages=(
  clang-19 clang-tidy-19 clang-format-19 lld-19 libclang-rt-19-dev cmake ninja-build ccache
  'libboost1.81-dev|libboost1.83-dev' 'libboost-json1.81-dev|libboost-json1.83-dev' 'libboost-url1.81-dev|libboost-url1.83-dev'
  libssl-dev libsimdjson-dev libprotobuf-dev protobuf-compiler librdkafka-dev libpq-dev prometheus-cpp-dev
  libspdlog-dev libfmt-dev libhowardhinnant-date-dev libical-dev libgtest-dev libgmock-dev librapidcheck-dev zlib1g-dev pkg-config
  'postgresql-15|postgresql-17|postgresql' 'openjdk-17-jdk-headless|openjdk-21-jdk-headless' maven
  python3 python3-pip jq curl kcat 'nginx-light|nginx' wrk chromium tzdata ca-certificates git shellcheck
)

# Prints the needs of which no alternative is installed.
_missing_needs() {
  local installed need name names=()
  for need in "${packages[@]}"; do
    IFS='|' read -ra alternatives <<<"$need"
    names+=("${alternatives[@]}")
  done
  # dpkg-query fails when it does not know one of the names, and still prints the others.
  installed=$'\n'$({ dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${names[@]}" 2>/dev/null || true; } | awk '$1 == "ii" { print $2 }')$'\n'
  for need in "${packages[@]}"; do
    IFS='|' read -ra alternatives <<<"$need"
    for name in "${alternatives[@]}"; do
      [[ $installed == *$'\n'"$name"$'\n'* ]] && continue 2
    done
    printf '%s\n' "$need"
  done
}

_as_root() {
  if ((EUID == 0)); then
    env "$@"
  elif have sudo; then
    sudo env "$@"
  else
    die "packages must be installed, which needs root, and there is no sudo here" \
      "run this once as root, then go on as yourself: apt-get update && apt-get install -y --no-install-recommends ${_to_install[*]}"
  fi
}

_to_install=()

_choose_packages() { # NEED...
  local need name alternatives
  _to_install=()
  for need in "$@"; do
    IFS='|' read -ra alternatives <<<"$need"
    for name in "${alternatives[@]}"; do
      if [[ $(apt-cache policy "$name" 2>/dev/null | awk '/Candidate:/ { print $2 }') != @('(none)'|'') ]]; then
        _to_install+=("$name")
        continue 2
      fi
    done
    return 1
  done
}

_install_packages() {
  local missing
  mapfile -t missing < <(_missing_needs)
  ((${#missing[@]})) || return 0

  have apt-get || die "this needs Debian 12 or 13 (apt-get is not here); missing: ${missing[*]}" \
    "install these by hand on another system, then run: CALBRIDGE_SKIP_PACKAGES=1 ./dev setup"
  say "installing ${#missing[@]} packages: ${missing[*]%%|*}"
  _to_install=("${missing[@]%%|*}")
  _as_root DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 ||
    die "apt-get update failed: check the network and /etc/apt, then run ./dev setup again"
  _choose_packages "${missing[@]}" ||
    die "this distribution has none of these packages: ${missing[*]}" "calbridge is built on Debian 12 or 13"

  local ok=1
  # PostgreSQL and nginx would start a server of their own on installation; nobody asked for one.
  # shellcheck disable=SC2016
  _as_root DEBIAN_FRONTEND=noninteractive sh -c '
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap "rm -f $policy" EXIT
      trap "exit 130" INT TERM
      printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy"
    fi
    apt-get install -y -qq --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@"
  ' sh "${_to_install[@]}" >&2 || ok=
  [[ $ok ]] || die "apt-get could not install: ${_to_install[*]}" \
    "its messages are above (libboost-dev of another version must be removed first: it cannot stand beside this one)"

  mapfile -t missing < <(_missing_needs)
  ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}" "install them by hand and run ./dev setup again"
}

kafka_pom="$root/deploy/kafka/pom.xml"

# Where the broker's jars are: named by the pom's own hash, so another version is another folder.
kafka_libs_dir() {
  local hash
  hash=$(sha256sum <"$kafka_pom")
  printf '%s\n' "$cache_dir/kafka-${hash:0:16}"
}

ensure_kafka_jars() {
  local dir work
  dir=$(kafka_libs_dir)
  [[ -d $dir ]] && return 0
  have mvn || die "Maven is missing, it fetches Apache Kafka: run ./dev setup"
  say "fetching Apache Kafka from Maven Central"
  mkdir -p "$cache_dir"
  work=$(mktemp -d "$cache_dir/.kafka-XXXXXX")
  if ! mvn -q -B -C -ntp -f "$kafka_pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work" >&2; then
    rm -rf "$work"
    die "Maven could not fetch Apache Kafka (its messages are above): check the network and run ./dev setup again"
  fi
  # Renamed when complete, so an interrupted fetch never looks like a finished one; a lost race finds the same content.
  mv -T "$work" "$dir" 2>/dev/null || rm -rf "$work"
}

discovery_dir="$root/build/discovery"

ensure_discovery() {
  local requirements="$root/tools/dev/discovery-requirements.txt" hash cached work document
  hash=$(sha256sum <"$requirements")
  cached="$cache_dir/discovery-${hash:0:16}"
  if [[ ! -d $cached ]]; then
    say "fetching Google's discovery documents from PyPI"
    mkdir -p "$cache_dir"
    work=$(mktemp -d "$cache_dir/.discovery-XXXXXX")
    if ! _fetch_discovery "$requirements" "$work"; then
      rm -rf "$work"
      die "the discovery documents could not be fetched with pip (its messages are above): check the network and run ./dev setup again"
    fi
    mv -T "$work" "$cached" 2>/dev/null || rm -rf "$work"
  fi
  mkdir -p "$discovery_dir"
  for document in calendar.v3.json oauth2.v2.json; do
    cmp -s "$cached/$document" "$discovery_dir/$document" || cp "$cached/$document" "$discovery_dir/$document"
  done
}

_fetch_discovery() { # REQUIREMENTS DIRECTORY
  local python
  python=$(_python_with_pip)
  "$python" -m pip download -q --no-deps --require-hashes -d "$2/wheel" -r "$1" >&2 || return 1
  "$python" - "$2" <<'PYTHON' || return 1
import pathlib, sys, zipfile
out = pathlib.Path(sys.argv[1])
[wheel] = (out / "wheel").glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    for name in ("calendar.v3.json", "oauth2.v2.json"):
        (out / name).write_bytes(archive.read("googleapiclient/discovery_cache/documents/" + name))
PYTHON
  rm -rf "$2/wheel"
}

# A virtual environment for the tests written in Python and for examples/python, shared by every clone.
python_dir="$root/build/python"

ensure_python() {
  local requirements=("$root/tools/dev/python-requirements.txt" "$root/examples/python/requirements.txt") python cached work
  python=$(_python_with_pip)
  cached="$cache_dir/python-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-$(cat "${requirements[@]}" | sha256sum | cut -c1-16)"
  if [[ ! -x $cached/bin/python ]]; then
    say "fetching Python packages from PyPI"
    mkdir -p "$cache_dir"
    rm -rf "$cached"
    work=$(mktemp -d "$cache_dir/.python-XXXXXX")
    # Debian's venv module lacks pip of its own; the pip that is there installs into the environment.
    if ! { "$python" -m venv --without-pip "$work" && "$python" -m pip --python "$work/bin/python" install -q --no-deps --no-input \
      --disable-pip-version-check --require-hashes -r "${requirements[0]}" -r "${requirements[1]}" >&2; }; then
      rm -rf "$work"
      die "the Python packages could not be fetched with pip (its messages are above): check the network and run ./dev setup again"
    fi
    mv -T "$work" "$cached" 2>/dev/null || rm -rf "$work"
  fi
  mkdir -p "$root/build"
  [[ $(readlink "$python_dir" 2>/dev/null) == "$cached" ]] || ln -sfn "$cached" "$python_dir"
}

_python_with_pip() {
  if python3 -m pip --version >/dev/null 2>&1; then printf 'python3\n'; else printf '/usr/bin/python3\n'; fi
}

_require_linux() {
  [[ $(uname -s) == Linux ]] || die "./dev runs on Linux (Debian 12 or 13); this is $(uname -s)" "use a Debian machine, container or virtual machine"
}

ensure_setup() {
  _require_linux
  [[ ${CALBRIDGE_SKIP_PACKAGES:-} ]] || _install_packages
  ensure_kafka_jars
  ensure_discovery
  ensure_python
}

cmd_setup() {
  (($# == 0)) || die "setup takes no arguments"
  with_lock setup ensure_setup
  say "everything needed is here (Kafka, discovery documents, Python packages: $cache_dir)"
}
