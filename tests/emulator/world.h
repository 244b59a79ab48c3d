#pragma once
// Google, in memory: decides every answer and does no I/O. Time and randomness come in; push deliveries go out as values.
// One thread at a time.

#include "common/base/clock.h"
#include "tests/emulator/discovery.h"
#include "tests/emulator/knobs.h"
#include "tests/emulator/message.h"
#include "tests/emulator/model.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace calbridge::emulator {

struct world_options {
    std::string base_url{"http://127.0.0.1:8085"};  // where its own OAuth endpoints are, for the metadata document
    std::uint64_t seed{1};
    bool check_answers{false};  // measure every answer against the response schema too; a fault is recorded as a violation
    std::size_t log_max{50000};
};

// What a person does to an event in the calendar's web page.
struct person_edit {
    enum class scope { one, following, all };
    std::string calendar, event;  // the event's id, or an instance's
    scope over{scope::all};
    bj::object change{};  // as in a PATCH of the instance that was clicked; times move the whole series along
    bool remove{false};   // instead of a change
    bool new_id{false};   // following: the new series gets an id and iCalUID of its own, not {old}_R{start} and the old iCalUID
    std::string as{};     // who; empty: the calendar's owner
    std::string send_updates{};
};

class world {
public:
    // `rules` and `time` must outlive the world.
    world(discovery const& rules, clock const& time, world_options options);
    ~world();

    // Answers one request: Google's endpoints, /_control/…, and the page at "/".
    answer handle(request const& r);

    // The injected clock plus what tests advanced.
    instant now() const;
    void advance(std::chrono::microseconds by);

    // Push deliveries whose time has come; each is handed out once. The caller reports every one of them.
    std::vector<delivery> take_due_deliveries(instant now);
    // The one delivery an answer asked to be sent first, if it is still waiting.
    std::optional<delivery> take_delivery(std::uint64_t id);
    // `status` 0: no answer came.
    void delivery_answered(std::uint64_t id, int status);
    // When the next delivery or scheduled change is due.
    std::optional<instant> next_due() const;

    // Does at once what would make the first requests slow (a signing key, zone rules).
    void warm_up();
    // Set-up without going through HTTP.
    void add_user(std::string const& email, std::string const& time_zone = "Europe/Zurich");
    void add_client(oauth_client client);
    void set_base_url(std::string url);
    // Google's answer: the event that was written (of "following", the new series), or an error.
    reply person(person_edit const& edit);
    knobs& settings();
    std::vector<violation> const& violations() const;
    std::uint64_t requests_handled() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace calbridge::emulator
