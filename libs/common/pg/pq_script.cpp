#include "common/pg/script.h"

#include "common/pg/sqlstate.h"

#include <libpq-fe.h>

namespace calbridge::pg {

namespace {

std::string trimmed(char const* text) {
    std::string line = text != nullptr ? text : "";
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
    return line;
}

struct result_deleter {
    void operator()(PGresult* r) const { PQclear(r); }
};
using owned_result = std::unique_ptr<PGresult, result_deleter>;

class pq_script_session final : public script_session {
public:
    explicit pq_script_session(PGconn* opened) : on_(opened) {}
    ~pq_script_session() override { PQfinish(on_); }
    pq_script_session(pq_script_session const&) = delete;
    pq_script_session& operator=(pq_script_session const&) = delete;

    result<void> run(std::string const& script) override {
        owned_result const answer(PQexec(on_, script.c_str()));
        if (auto problem = fault(answer.get())) return *problem;
        return {};
    }

    result<table> query(std::string const& statement, std::vector<std::string> const& params) override {
        std::vector<char const*> values;
        values.reserve(params.size());
        for (std::string const& each : params) values.push_back(each.c_str());
        owned_result const answer(
            PQexecParams(on_, statement.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0));
        if (auto problem = fault(answer.get())) return *problem;
        table all;
        for (int row = 0; row < PQntuples(answer.get()); ++row) {
            auto& columns = all.emplace_back();
            for (int column = 0; column < PQnfields(answer.get()); ++column) {
                if (PQgetisnull(answer.get(), row, column) != 0) columns.emplace_back();
                else columns.emplace_back(PQgetvalue(answer.get(), row, column));
            }
        }
        return all;
    }

private:
    std::optional<error> fault(PGresult const* answer) const {
        ExecStatusType const status = PQresultStatus(answer);
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) return {};
        char const* const sqlstate = answer != nullptr ? PQresultErrorField(answer, PG_DIAG_SQLSTATE) : nullptr;
        std::string const said = answer != nullptr ? trimmed(PQresultErrorMessage(answer)) : trimmed(PQerrorMessage(on_));
        if (sqlstate == nullptr) return fail(errc::unavailable, said);
        return fail(judge({.sqlstate = sqlstate}).code, said);
    }

    PGconn* on_;
};

}  // namespace

result<std::unique_ptr<script_session>> open_script_session(std::string const& conninfo, secret const& password,
                                                            std::string const& application_name) {
    char* problem = nullptr;
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> const parsed(PQconninfoParse(conninfo.c_str(), &problem), &PQconninfoFree);
    if (!parsed) {
        PQfreemem(problem);
        return fail(errc::malformed, "not a libpq connection string");
    }
    // dbname first: libpq expands a whole connection string given there, and later keywords override its parts.
    std::string const word(password.reveal());
    std::vector<char const*> names{"dbname", "fallback_application_name", "client_encoding", "connect_timeout", "options"};
    std::vector<char const*> values{conninfo.c_str(), application_name.c_str(), "UTF8", "10", "-c client_min_messages=warning"};
    if (!word.empty()) {
        names.push_back("password");
        values.push_back(word.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    PGconn* const opened = PQconnectdbParams(names.data(), values.data(), 1);
    if (PQstatus(opened) != CONNECTION_OK) {
        std::string const said = trimmed(PQerrorMessage(opened));
        PQfinish(opened);
        return fail(errc::unavailable, said);
    }
    return std::unique_ptr<script_session>(std::make_unique<pq_script_session>(opened));
}

}  // namespace calbridge::pg
