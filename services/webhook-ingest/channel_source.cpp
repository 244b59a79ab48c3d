#include "channel_source.h"

#include "common/async/with_deadline.h"
#include "common/observe/log.h"

#include <algorithm>

namespace calbridge::ingest {
namespace {

constexpr pg::statement select_channel{
    "ingest_channel",
    "select tenant_id, user_id, connection_id, calendar_id, resource_id, state, expires_at, token_hash from ingest_channel($1::uuid)"};

result<std::optional<known_channel>> read(pg::rows const& found) {
    if (found.empty()) return std::optional<known_channel>();
    auto const state = parse_channel_state(found.text(0, 5));
    auto const hash = found.blob(0, 7);
    known_channel out;
    if (!state || hash.size() != out.token_hash.size()) return fail(errc::malformed, "channel row of an unknown shape");
    out.tenant = tenant_id(std::string(found.text(0, 0)));
    out.user = user_id(std::string(found.text(0, 1)));
    out.connection = connection_id{found.id(0, 2)};
    out.calendar = calendar_id{found.id(0, 3)};
    out.resource_id = found.text_or_null(0, 4);
    out.state = *state;
    out.expires_at = found.time_or_null(0, 6);
    std::ranges::copy(hash, out.token_hash.begin());
    return std::optional<known_channel>(std::move(out));
}

task<result<pg::rows>> ask(pg::database& db, channel_id id) {
    pg::params with;
    with.add(id);
    co_return co_await pg::run_once_untenanted(db, select_channel, std::move(with));
}

class pg_channel_source final : public channel_source {
public:
    explicit pg_channel_source(pg::database& db) : db_(db) {}

    task<result<std::optional<known_channel>>> look_up(channel_id id, deadline at) override {
        auto const found = co_await with_deadline(at, "look up channel " + id.str(), ask(db_, id));
        if (!found) co_return found.error();
        co_return read(*found);
    }

    task<void> follow(std::function<void(channel_id)> changed, std::function<void()> missed) override {
        auto on_notify = [changed = std::move(changed), missed](std::string_view payload) {
            auto const id = parse_uuid(payload);
            if (id) changed(channel_id{*id});
            else missed();
        };
        co_await db_.listen("calbridge_channels", std::move(on_notify), std::move(missed));
    }

private:
    pg::database& db_;
};

}  // namespace

std::unique_ptr<channel_source> make_channel_source(pg::database& db) { return std::make_unique<pg_channel_source>(db); }

}  // namespace calbridge::ingest
