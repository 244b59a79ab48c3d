#include "common/pg/pq_conninfo.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>

namespace calbridge::pg {

namespace {

keywords parse(std::string const& conninfo) {
    char* problem = nullptr;
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> const options(PQconninfoParse(conninfo.c_str(), &problem),
                                                                               &PQconninfoFree);
    PQfreemem(problem);
    if (!options) throw std::invalid_argument("the database connection string cannot be read");
    keywords found;
    for (PQconninfoOption const* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr && *option->val != '\0') found[option->keyword] = option->val;
    }
    return found;
}

std::vector<std::string> split(std::string const& list) {
    std::vector<std::string> items;
    std::size_t from = 0;
    while (true) {
        std::size_t const comma = list.find(',', from);
        items.push_back(list.substr(from, comma - from));
        if (comma == std::string::npos) return items;
        from = comma + 1;
    }
}

std::string value_of(keywords const& pairs, char const* key) {
    auto const found = pairs.find(key);
    return found == pairs.end() ? std::string() : found->second;
}

bool needs_lookup(endpoint const& e) {
    if (!e.hostaddr.empty() || e.host.empty() || e.host.starts_with('/') || e.host.starts_with('@')) return false;
    boost::system::error_code ec;
    asio::ip::make_address(e.host, ec);
    return static_cast<bool>(ec);
}

using tcp = asio::ip::tcp;

struct lookup {
    explicit lookup(asio::any_io_executor const& executor) : resolver(executor), bell(executor) {}
    tcp::resolver resolver;
    asio::steady_timer bell;
    std::set<std::string> addresses;  // one answer per socket type would repeat an address
};

std::string milliseconds(std::chrono::milliseconds d) { return std::to_string(d.count()); }

// Our statements are look-ups. PostgreSQL takes "counter < other counter" for a third of the table, and from some hundred thousand rows on
// would compile a query that finds nothing, or start processes for it, at a hundred times the cost of the query.
constexpr char const* look_ups_only = " -c jit=off -c max_parallel_workers_per_gather=0";

}  // namespace

keywords session_keywords(database_options const& options) {
    keywords pairs = parse(options.conninfo);
    if (!options.password.empty()) pairs["password"] = std::string(options.password.reveal());
    pairs["application_name"] = options.application_name;
    pairs["client_encoding"] = "UTF8";
    // After a failover the old primary comes back as a standby: it is not what we want to talk to.
    pairs.try_emplace("target_session_attrs", "read-write");
    pairs.try_emplace("gssencmode", "disable");
    pairs.try_emplace("keepalives_idle", "15");
    pairs.try_emplace("keepalives_interval", "5");
    pairs.try_emplace("keepalives_count", "3");
    // Results are read as text, so their form is pinned. The last one ends the work of a client that went away.
    pairs["options"] = value_of(pairs, "options") + " -c DateStyle=ISO -c TimeZone=UTC -c bytea_output=hex -c statement_timeout=" +
                       milliseconds(options.statement_time_max) + " -c lock_timeout=" + milliseconds(options.lock_time_max) +
                       " -c idle_in_transaction_session_timeout=" + milliseconds(options.statement_time_max + std::chrono::seconds(5)) +
                       " -c client_connection_check_interval=1000" + look_ups_only;
    return pairs;
}

std::vector<endpoint> endpoints_of(keywords const& pairs) {
    auto const hosts = split(value_of(pairs, "host"));
    auto const addresses = split(value_of(pairs, "hostaddr"));
    auto const ports = split(value_of(pairs, "port"));
    std::vector<endpoint> found(std::max(hosts.size(), addresses.size()));
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (i < hosts.size()) found[i].host = hosts[i];
        if (i < addresses.size()) found[i].hostaddr = addresses[i];
        // As libpq: one port is meant for all hosts.
        if (i < ports.size() || ports.size() == 1) found[i].port = ports.size() == 1 ? ports[0] : ports[i];
    }
    return found;
}

task<std::vector<endpoint>> resolve(std::vector<endpoint> wanted, deadline at) {
    auto const executor = co_await asio::this_coro::executor;
    std::vector<endpoint> found;
    for (endpoint const& each : wanted) {
        if (!needs_lookup(each)) {
            found.push_back(each);
            continue;
        }
        // The look-up cannot be interrupted, so its answer has its own home and this coroutine waits on a timer.
        auto const asked = std::make_shared<lookup>(executor);
        asked->bell.expires_at(at);
        asked->resolver.async_resolve(each.host, std::string(),
                                      [asked](boost::system::error_code const& ec, tcp::resolver::results_type answers) {
                                          if (ec) answers = {};
                                          for (auto const& answer : answers)
                                              asked->addresses.insert(answer.endpoint().address().to_string());
                                          asked->bell.cancel();
                                      });
        boost::system::error_code rang;
        co_await asked->bell.async_wait(asio::redirect_error(asio::use_awaitable, rang));
        for (auto const& address : asked->addresses) found.push_back({.host = each.host, .hostaddr = address, .port = each.port});
    }
    co_return found;
}

keywords with_endpoints(keywords pairs, std::vector<endpoint> const& targets) {
    std::string host;
    std::string hostaddr;
    std::string port;
    bool any_address = false;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        std::string const comma = i == 0 ? "" : ",";
        host += comma + targets[i].host;
        hostaddr += comma + targets[i].hostaddr;
        port += comma + targets[i].port;
        any_address = any_address || !targets[i].hostaddr.empty();
    }
    pairs.erase("host");
    pairs.erase("hostaddr");
    pairs.erase("port");
    if (!host.empty()) pairs["host"] = host;
    if (any_address) pairs["hostaddr"] = hostaddr;
    if (port.find_first_not_of(',') != std::string::npos) pairs["port"] = port;
    return pairs;
}

}  // namespace calbridge::pg
