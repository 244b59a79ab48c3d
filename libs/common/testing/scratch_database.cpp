#include "common/base/encoding.h"
#include "common/base/random.h"
#include "common/testing/testing.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace calbridge::testing {

namespace {

using pg_connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using pg_result = std::unique_ptr<PGresult, decltype(&PQclear)>;
using keywords = std::map<std::string, std::string>;

// Setting up touches roles, which belong to the whole cluster: one test process at a time.
constexpr char const* lock_setup = "select pg_advisory_lock(7230115)";
constexpr char const* unlock_setup = "select pg_advisory_unlock(7230115)";

keywords parse(std::string const& conninfo) {
    char* problem = nullptr;
    PQconninfoOption* const options = PQconninfoParse(conninfo.c_str(), &problem);
    if (options == nullptr) {
        std::string const text = problem != nullptr ? problem : "out of memory";
        PQfreemem(problem);
        throw std::runtime_error("CALBRIDGE_TEST_PG is not a libpq connection string: " + text);
    }
    keywords found;
    for (PQconninfoOption const* option = options; option->keyword != nullptr; ++option) {
        if (option->val != nullptr) found[option->keyword] = option->val;
    }
    PQconninfoFree(options);
    return found;
}

std::string format(keywords const& pairs) {
    std::string text;
    for (auto const& [key, value] : pairs) {
        if (!text.empty()) text += ' ';
        text += key + "='";
        for (char const c : value) {
            if (c == '\'' || c == '\\') text += '\\';
            text += c;
        }
        text += '\'';
    }
    return text;
}

std::string with_database(std::string const& conninfo, std::string const& database) {
    keywords pairs = parse(conninfo);
    pairs["dbname"] = database;
    return format(pairs);
}

pg_connection connect(std::string const& conninfo) {
    pg_connection opened(PQconnectdb(conninfo.c_str()), &PQfinish);
    if (PQstatus(opened.get()) != CONNECTION_OK) {
        throw std::runtime_error(std::string("cannot connect to the test PostgreSQL: ") + PQerrorMessage(opened.get()));
    }
    PQsetNoticeProcessor(opened.get(), [](void*, char const*) {}, nullptr);
    return opened;
}

std::string run(PGconn* on, std::string const& sql, std::string const& what) {
    pg_result const answer(PQexec(on, sql.c_str()), &PQclear);
    ExecStatusType const status = PQresultStatus(answer.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        throw std::runtime_error(what + ": " + PQerrorMessage(on));
    }
    if (PQntuples(answer.get()) == 0 || PQnfields(answer.get()) == 0) return {};
    return PQgetvalue(answer.get(), 0, 0);
}

std::vector<std::filesystem::path> migrations() {
    std::filesystem::path const folder = std::filesystem::path(CALBRIDGE_SOURCE_DIR) / "libs" / "store" / "migrations";
    std::vector<std::filesystem::path> files;
    if (!std::filesystem::exists(folder)) return files;
    for (auto const& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".sql") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

std::string read(std::filesystem::path const& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) throw std::runtime_error("cannot read " + path.string());
    return text.str();
}

std::string role_name(std::string const& role) { return "calbridge_" + role; }

constexpr std::array<char const*, 4> roles{"gateway", "ingest", "worker", "renewer"};
constexpr char const* role_password = "calbridge-test";

// Where the test cluster asks for passwords, its service roles get a known one.
void open_roles(PGconn* on) {
    for (char const* role : roles) {
        std::string const name = role_name(role);
        if (run(on, "select 1 from pg_roles where rolname = '" + name + "'", "look for role").empty()) continue;
        run(on, "alter role " + name + " login", "open role " + name);
        if (PQconnectionUsedPassword(on) != 0) {
            run(on, "alter role " + name + " password '" + role_password + "'", "set password of " + name);
        }
    }
}

// A database with all migrations applied, made once per cluster and state of the files: copying it is much quicker than migrating
// each time. Called under the set-up lock.
std::string template_database(PGconn* on, std::string const& admin) {
    std::string all;
    for (auto const& file : migrations()) all += file.filename().string() + "\n" + read(file);
    std::uint64_t hash = 14695981039346656037ull;  // FNV-1a
    for (char const c : all) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ull;
    std::string const name = "calbridge_template_" + std::to_string(hash);
    if (!run(on, "select 1 from pg_database where datname = '" + name + "'", "look for the template").empty()) return name;
    std::string const building = name + "_building";
    run(on, "drop database if exists " + building + " with (force)", "drop an unfinished template");
    run(on, "create database " + building + " template template0 encoding 'UTF8'", "create the template");
    {
        pg_connection const fresh = connect(with_database(admin, building));
        for (auto const& file : migrations()) run(fresh.get(), read(file), "migration " + file.filename().string());
        open_roles(fresh.get());
    }
    run(on, "alter database " + building + " rename to " + name, "finish the template");
    return name;
}

}  // namespace

scratch_database::scratch_database(bool with_migrations) {
    char const* admin = std::getenv("CALBRIDGE_TEST_PG");
    if (admin == nullptr || *admin == '\0') {
        throw std::runtime_error("CALBRIDGE_TEST_PG is not set: run `./dev test`, or `./dev test-env up` and export what it prints");
    }
    admin_ = admin;
    std::array<std::uint8_t, 6> random{};
    random_bytes(random);
    name_ = "calbridge_test_" + hex(random);

    pg_connection const on = connect(admin_);
    run(on.get(), lock_setup, "wait for other tests");
    std::string const from = with_migrations ? template_database(on.get(), admin_) : "template0";
    run(on.get(), "create database " + name_ + " template " + from, "create the scratch database");
    run(on.get(), unlock_setup, "let other tests on");
}

scratch_database::~scratch_database() {
    try {
        pg_connection const on = connect(admin_);
        run(on.get(), "drop database if exists " + name_ + " with (force)", "drop the scratch database");
    } catch (std::exception const& e) {
        std::cerr << "scratch database " << name_ << " stays behind: " << e.what() << '\n';
    }
}

std::string scratch_database::conninfo_for(std::string const& role) const {
    keywords pairs = parse(with_database(admin_, name_));
    if (role.empty()) return format(pairs);
    if (std::ranges::find(roles, role) == roles.end()) throw std::runtime_error("no such service role: " + role);
    pairs["user"] = role_name(role);
    if (pairs.contains("password")) pairs["password"] = role_password;
    return format(pairs);
}

std::string scratch_database::exec(std::string const& sql) const {
    pg_connection const on = connect(with_database(admin_, name_));
    return run(on.get(), sql, "exec");
}

}  // namespace calbridge::testing
