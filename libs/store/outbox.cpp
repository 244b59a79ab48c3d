#include "store/clockwork.h"
#include "store/work.h"

#include "store/row_reader.h"

#include <map>

namespace calbridge::store {

namespace {

constexpr pg::statement write{"write_outbox", R"(
    INSERT INTO outbox (tenant_id, message_id, topic, message_key, headers, value)
    SELECT $1, i.id, i.topic, i.key, i.headers::jsonb,
    i.value FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[]) WITH ORDINALITY AS i (id, topic, key,
    headers, value, position)
    ORDER BY i.position
    RETURNING message_id, outbox_id)"};
constexpr pg::statement sent{"outbox_sent", "SELECT outbox_sent($1, $2)"};
constexpr pg::statement claim{"claim_outbox", R"(
    SELECT tenant_id, outbox_id, message_id, topic, message_key, headers, value
    FROM claim_outbox($1::bigint::integer)
    ORDER BY outbox_id)"};

task<result<void>> settle(pg::database& db, std::vector<outbox_message> const& messages) {
    if (messages.empty()) co_return result<void>{};
    std::vector<std::string> tenants;
    std::vector<std::int64_t> ids;
    for (outbox_message const& each : messages) {
        tenants.push_back(each.tenant.str());
        ids.push_back(each.id);
    }
    pg::params with;
    with.add_array(tenants).add_array(ids);
    auto const rows = co_await pg::run_once_untenanted(db, sent, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

}  // namespace

task<result<void>> write_outbox(pg::transaction& tx, std::vector<outbox_message>& messages) {
    if (messages.empty()) co_return result<void>{};
    std::vector<uuid> ids;
    std::vector<std::string> topics, keys, headers;
    std::vector<bytes> values;
    for (outbox_message const& each : messages) {
        if (each.tenant != messages.front().tenant) co_return fail(errc::internal, "write outbox: messages of several tenants");
        ids.push_back(each.message_id);
        topics.push_back(each.topic);
        keys.push_back(each.key);
        headers.push_back(store_headers(each.headers));
        values.emplace_back(each.value.begin(), each.value.end());
    }
    pg::params with;
    with.add(messages.front().tenant).add_array(ids).add_array(topics).add_array(keys).add_array(headers).add_array(values);
    auto const rows = co_await tx.query(write, std::move(with));
    if (!rows) co_return rows.error();
    std::map<uuid, std::int64_t> given;
    for (std::size_t i = 0; i < rows->size(); ++i) given[rows->id(i, 0)] = rows->integer(i, 1);
    for (outbox_message& each : messages) each.id = given.at(each.message_id);
    co_return result<void>{};
}

task<result<void>> mark_sent(pg::database& db, std::vector<outbox_message> const& messages) { return settle(db, messages); }
task<result<void>> outbox_sent(pg::database& db, std::vector<outbox_message> const& sent_now) { return settle(db, sent_now); }

task<result<std::vector<outbox_message>>> claim_outbox(pg::database& db, int most) {
    pg::params with;
    with.add(most);
    auto const rows = co_await pg::run_once_untenanted(db, claim, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<outbox_message> messages;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        outbox_message m;
        m.tenant = r.tenant();
        m.id = r.integer();
        m.message_id = r.id();
        m.topic = r.text();
        m.key = r.text();
        auto headers = load_headers(r.text());
        if (!headers) co_return fail(errc::internal, "outbox " + std::to_string(m.id) + ": stored headers are not pairs");
        m.headers = std::move(*headers);
        bytes const value = r.blob();
        m.value.assign(value.begin(), value.end());
        messages.push_back(std::move(m));
    }
    co_return messages;
}

}  // namespace calbridge::store
