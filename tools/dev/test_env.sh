# shellcheck shell=bash
# `./dev test-env`: the real PostgreSQL and Kafka that tests use. Superuser without a password, on loopback only.

test_env_dir="$run_dir/test-env"

test_env_running() { pg_running "$test_env_dir/postgresql" && kafka_running "$test_env_dir/kafka"; }

test_env_up() {
  mkdir -p "$test_env_dir"
  kafka_start "$test_env_dir/kafka"
  pg_start "$test_env_dir/postgresql" trust
  kafka_wait "$test_env_dir/kafka"
}

test_env_down() {
  kafka_stop "$test_env_dir/kafka"
  pg_stop "$test_env_dir/postgresql"
}

test_env_remove() {
  pg_remove "$test_env_dir/postgresql"
  rm -rf "$test_env_dir"
}

test_env_pg() { printf 'host=127.0.0.1 port=%s user=postgres dbname=postgres\n' "$(<"$test_env_dir/postgresql/port")"; }
test_env_kafka() { printf '127.0.0.1:%s\n' "$(<"$test_env_dir/kafka/port")"; }

_test_env_print() {
  printf "export CALBRIDGE_TEST_PG='%s'\n" "$(test_env_pg)"
  printf "export CALBRIDGE_TEST_KAFKA='%s'\n" "$(test_env_kafka)"
}

cmd_test_env() {
  case ${1:-} in
    up)
      with_lock setup ensure_setup
      with_lock test-env test_env_up
      _test_env_print
      [[ ! -t 1 ]] || say "use it in this shell with: eval \"\$(./dev test-env up)\""
      ;;
    down)
      with_lock test-env test_env_down
      say "the test environment is down; its data stays in .run/test-env"
      ;;
    status)
      if test_env_running; then
        _test_env_print
      else
        say "the test environment is not up; start it with: ./dev test-env up"
        return 1
      fi
      ;;
    *) die "usage: ./dev test-env up | down | status" ;;
  esac
}
