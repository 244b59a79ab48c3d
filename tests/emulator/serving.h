#pragma once
// The doing side: listens, hands requests to the world, sends its push deliveries.
// It has its own small HTTP loop because scripted faults cut, reset and delay connections, which a proper server refuses to do.

#include "common/async/task.h"
#include "common/http/client.h"
#include "tests/emulator/world.h"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace calbridge::emulator {

struct serving_options {
    std::string address{"127.0.0.1"};
    std::uint16_t port{0};  // 0: any free port
    // Where deliveries go instead of the address a channel named: "https://hooks.example" to "http://127.0.0.1:8081".
    std::map<std::string, std::string> push_map;
    std::chrono::seconds push_time_max{10};
    // Other services under the same address, by the beginning of their paths; they see their paths without it.
    std::map<std::string, std::function<answer(request const&)>> mounted{};
};

class serving {
public:
    virtual ~serving() = default;
    // Serves until cancelled. Throws at construction when the address cannot be bound.
    virtual task<void> run() = 0;
    virtual std::uint16_t port() const = 0;
    // Call after changing the world from outside (its clock, its events), so that deliveries that became due go out.
    virtual void wake() = 0;
};

// `w` must outlive the server; both belong to one thread.
std::unique_ptr<serving> make_serving(asio::any_io_executor executor, world& w, serving_options options);

// The address a delivery goes to under the map: the longest matching beginning is replaced.
std::string mapped(std::map<std::string, std::string> const& map, std::string_view address);
// gzip, for clients that ask for it in both ways the service wants.
std::string gzip(std::string_view text);

}  // namespace calbridge::emulator
