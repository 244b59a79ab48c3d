#include "store/work.h"

#include "store/fresh_plan.h"
#include "store/row_reader.h"

#include "common/crypto/crypto.h"

#include <algorithm>

namespace calbridge::store {

namespace {

// A cancelled item may hold nothing but its id: what the mirror knew of the event stays.
constexpr pg::statement upsert{"mirror_events", R"(
    INSERT INTO events AS e (tenant_id, calendar_id, google_event_id, etag, status, ical_uid, summary, location, all_day,
    start_at, end_at, time_zone, recurring_event_id, original_start, event_type, transparency, visibility, organizer_email,
    link_id, updated_at, seen_pass, raw, recurring, redacted)
    SELECT DISTINCT ON (i.id) $1, $2, i.id, i.etag, i.status, i.ical_uid, i.summary, i.location, i.all_day, i.start_at,
    i.end_at, i.zone, i.series, i.original, i.type, i.transparency, i.visibility, i.organizer, i.link, i.updated, $4, i.raw::jsonb, i.recurring,
    i.redacted
    FROM unnest($3::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::boolean[],
    $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
    $18::text[], $19::text[], $20::uuid[], $21::timestamptz[], $22::text[], $23::boolean[], $24::boolean[]) WITH ORDINALITY AS i (id, etag, status,
    ical_uid, summary, location, all_day, start_at, end_at, zone, series, original, type, transparency, visibility, organizer,
    link, updated, raw, recurring, redacted, position)
    ORDER BY i.id, i.position DESC
    ON CONFLICT (tenant_id, calendar_id, google_event_id) DO UPDATE SET etag = excluded.etag, status = excluded.status,
    ical_uid = CASE WHEN excluded.redacted THEN '' ELSE coalesce(nullif(excluded.ical_uid, ''), e.ical_uid) END,
    summary = CASE WHEN excluded.redacted THEN '' WHEN excluded.status = 'cancelled' THEN e.summary ELSE excluded.summary END,
    location = CASE WHEN excluded.redacted THEN '' WHEN excluded.status = 'cancelled' THEN e.location ELSE excluded.location END,
    all_day = CASE WHEN excluded.status = 'cancelled' THEN e.all_day ELSE excluded.all_day END,
    start_at = CASE WHEN excluded.status = 'cancelled' THEN e.start_at ELSE excluded.start_at END,
    end_at = CASE WHEN excluded.status = 'cancelled' THEN e.end_at ELSE excluded.end_at END,
    time_zone = CASE WHEN excluded.status = 'cancelled' THEN e.time_zone ELSE excluded.time_zone END,
    recurring_event_id = coalesce(excluded.recurring_event_id, e.recurring_event_id),
    original_start = coalesce(excluded.original_start, e.original_start), event_type = excluded.event_type,
    transparency = excluded.transparency, visibility = excluded.visibility,
    organizer_email = CASE WHEN excluded.redacted THEN '' ELSE coalesce(nullif(excluded.organizer_email, ''), e.organizer_email) END,
    link_id = coalesce(excluded.link_id, e.link_id), updated_at = coalesce(excluded.updated_at, e.updated_at),
    seen_pass = CASE WHEN excluded.seen_pass = 0 THEN e.seen_pass ELSE excluded.seen_pass END, raw = excluded.raw,
    recurring = CASE WHEN excluded.status = 'cancelled' THEN e.recurring ELSE excluded.recurring END, redacted = excluded.redacted
    WHERE e.etag <> excluded.etag OR e.status <> excluded.status OR e.redacted <> excluded.redacted
    OR (excluded.link_id IS NOT NULL AND e.link_id IS DISTINCT FROM excluded.link_id))"};
// For a page of which the mirror knows nothing yet: the first reading of a calendar.
constexpr pg::statement insert_new{"mirror_new_events", R"(
    INSERT INTO events AS e (tenant_id, calendar_id, google_event_id, etag, status, ical_uid, summary, location, all_day,
    start_at, end_at, time_zone, recurring_event_id, original_start, event_type, transparency, visibility, organizer_email,
    link_id, updated_at, seen_pass, raw, recurring, redacted)
    SELECT $1, $2, i.id, i.etag, i.status, i.ical_uid, i.summary, i.location, i.all_day, i.start_at,
    i.end_at, i.zone, i.series, i.original, i.type, i.transparency, i.visibility, i.organizer, i.link, i.updated, $4, i.raw::jsonb, i.recurring,
    i.redacted
    FROM unnest($3::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::boolean[],
    $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
    $18::text[], $19::text[], $20::uuid[], $21::timestamptz[], $22::text[], $23::boolean[], $24::boolean[]) AS i (id, etag, status,
    ical_uid, summary, location, all_day, start_at, end_at, zone, series, original, type, transparency, visibility, organizer,
    link, updated, raw, recurring, redacted))"};
constexpr pg::statement any_known{"any_known_events", R"(
    SELECT 1 FROM events WHERE tenant_id = $1 AND calendar_id = $2 AND google_event_id = ANY ($3) LIMIT 1)"};
constexpr pg::statement mark_seen{"mark_seen", R"(
    UPDATE events SET seen_pass = $3
    WHERE tenant_id = $1 AND calendar_id = $2 AND google_event_id = ANY ($4) AND seen_pass <> $3)"};
constexpr pg::statement count_known{"count_known",
                                    "SELECT count(*) FROM events WHERE tenant_id = $1 AND calendar_id = $2 AND status <> 'cancelled'"};
constexpr pg::statement find_unseen{"find_unseen", R"(
    SELECT tenant_id, google_event_id FROM events
    WHERE tenant_id = $1 AND calendar_id = $2 AND status <> 'cancelled' AND seen_pass <> $3
    ORDER BY google_event_id)"};
constexpr pg::statement redact_all{"redact_rest", R"(
    UPDATE events SET summary = '', location = '', organizer_email = '', ical_uid = '', raw = '{}', redacted = true
    WHERE tenant_id = $1 AND calendar_id = $2 AND NOT redacted)"};
constexpr pg::statement cancel{"mark_cancelled", R"(
    UPDATE events SET status = 'cancelled'
    WHERE tenant_id = $1 AND calendar_id = $2 AND google_event_id = ANY ($3))"};
constexpr pg::statement cancel_with_series{"cancel_exceptions", R"(
    UPDATE events SET status = 'cancelled'
    WHERE tenant_id = $1 AND calendar_id = $2 AND recurring_event_id = ANY ($3) AND status <> 'cancelled')"};
constexpr pg::statement set_aside{"quarantine_events", R"(
    INSERT INTO quarantine AS q (tenant_id, quarantine_id, source, subject, reason, detail, hash, value)
    SELECT DISTINCT ON (i.subject, i.hash) $1, i.id, 'google-event', i.subject, i.reason, i.detail, i.hash, i.value
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[]) AS i (id, subject, reason, detail, hash, value)
    ORDER BY i.subject, i.hash
    ON CONFLICT (tenant_id, source, partition, "offset", subject, hash) DO UPDATE SET seen_count = q.seen_count + 1,
    last_seen_at = now(), state = CASE WHEN q.state = 'resolved' THEN 'open' ELSE q.state END)"};

constexpr std::size_t odd_bytes_max = 64u << 10;
constexpr std::size_t odd_id_max = 1024;
constexpr std::size_t odd_detail_max = 1000;

pg::params at(held_lease const& held) {
    pg::params with;
    with.add(held.tenant).add(held.calendar);
    return with;
}

bool has_repeats(std::vector<std::string> ids) {
    std::ranges::sort(ids);
    return std::ranges::adjacent_find(ids) != ids.end();
}

struct columns {
    std::vector<std::string> id, etag, status, ical_uid, summary, location, zone, type, transparency, visibility, organizer, raw;
    std::vector<std::optional<std::string>> series, original;
    std::vector<bool> all_day, recurring, redacted;
    std::vector<std::optional<instant>> start, end, updated;
    std::vector<std::optional<uuid>> link;

    void take(mirrored_event e) {
        id.push_back(std::move(e.id));
        etag.push_back(std::move(e.etag));
        status.push_back(std::move(e.status));
        ical_uid.push_back(std::move(e.ical_uid));
        summary.push_back(std::move(e.summary));
        location.push_back(std::move(e.location));
        all_day.push_back(e.all_day);
        start.push_back(e.start);
        end.push_back(e.end);
        zone.push_back(std::move(e.time_zone));
        series.push_back(std::move(e.recurring_event_id));
        original.push_back(std::move(e.original_start));
        type.push_back(std::move(e.event_type));
        transparency.push_back(std::move(e.transparency));
        visibility.push_back(std::move(e.visibility));
        organizer.push_back(std::move(e.organizer_email));
        link.push_back(e.link ? std::optional(e.link->value) : std::nullopt);
        updated.push_back(e.updated);
        raw.push_back(std::move(e.raw));
        recurring.push_back(e.recurring);
        redacted.push_back(e.redacted);
    }
};

}  // namespace

task<result<std::size_t>> mirror(pg::transaction& tx, held_lease const& held, std::vector<mirrored_event> events, std::int64_t seen_pass) {
    if (events.empty()) co_return std::size_t{0};
    columns all;
    for (mirrored_event& each : events) all.take(std::move(each));
    pg::params with = at(held);
    with.add_array(all.id)
        .add(seen_pass)
        .add_array(all.etag)
        .add_array(all.status)
        .add_array(all.ical_uid)
        .add_array(all.summary)
        .add_array(all.location);
    with.add_array(all.all_day)
        .add_array(all.start)
        .add_array(all.end)
        .add_array(all.zone)
        .add_array(all.series)
        .add_array(all.original)
        .add_array(all.type);
    with.add_array(all.transparency)
        .add_array(all.visibility)
        .add_array(all.organizer)
        .add_array(all.link)
        .add_array(all.updated)
        .add_array(all.raw)
        .add_array(all.recurring)
        .add_array(all.redacted);
    if (seen_pass != 0 && !has_repeats(all.id)) {
        pg::params asked = at(held);
        asked.add_array(all.id);
        std::vector<pg::transaction::step> look;
        look.push_back({&plan_anew, {}});
        look.push_back({&any_known, std::move(asked)});
        look.push_back({&plan_as_usual, {}});
        auto const known = co_await tx.batch(std::move(look));
        if (!known) co_return known.error();
        if ((*known)[1].empty()) {
            auto const inserted = co_await tx.query(insert_new, std::move(with));
            if (!inserted) co_return inserted.error();
            co_return static_cast<std::size_t>(inserted->affected());
        }
    }
    auto const rows = co_await tx.query(upsert, std::move(with));
    if (!rows) co_return rows.error();
    auto const changed = static_cast<std::size_t>(rows->affected());
    // What was written carries the pass already: looking for the rest costs a third of the work.
    if (seen_pass != 0 && changed < all.id.size()) {
        pg::params marked = at(held);
        marked.add(seen_pass).add_array(all.id);
        std::vector<pg::transaction::step> mark;
        mark.push_back({&plan_anew, {}});
        mark.push_back({&mark_seen, std::move(marked)});
        mark.push_back({&plan_as_usual, {}});
        auto const seen = co_await tx.batch(std::move(mark));
        if (!seen) co_return seen.error();
    }
    co_return changed;
}

task<result<sweep_view>> unswept(pg::transaction& tx, held_lease const& held, std::int64_t pass) {
    pg::params missing = at(held);
    missing.add(pass);
    auto const unseen = co_await tx.query(find_unseen, std::move(missing));
    if (!unseen) co_return unseen.error();
    sweep_view view;
    for (std::size_t i = 0; i < unseen->size(); ++i) {
        row_reader r(*unseen, i);
        r.tenant(held.tenant);
        view.missing.push_back(r.text());
    }
    if (view.missing.empty()) co_return view;
    auto const known = co_await tx.query(count_known, at(held));
    if (!known) co_return known.error();
    view.known = static_cast<std::size_t>(known->integer(0, 0));
    co_return view;
}

task<result<void>> mark_cancelled(pg::transaction& tx, held_lease const& held, std::vector<std::string> event_ids) {
    pg::params with = at(held);
    with.add_array(event_ids);
    auto const rows = co_await tx.query(cancel, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> cancel_exceptions(pg::transaction& tx, held_lease const& held, std::vector<std::string> series) {
    if (series.empty()) co_return result<void>{};
    pg::params with = at(held);
    with.add_array(series);
    auto const rows = co_await tx.query(cancel_with_series, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> redact_rest(pg::transaction& tx, held_lease const& held) {
    auto const rows = co_await tx.query(redact_all, at(held));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> quarantine_events(pg::transaction& tx, held_lease const& held, std::vector<odd_event> odd) {
    if (odd.empty()) co_return result<void>{};
    std::vector<uuid> ids;
    std::vector<std::string> subjects, reasons, details;
    std::vector<bytes> hashes, values;
    for (odd_event const& each : odd) {
        auto const digest = crypto::sha256(each.raw);
        std::string_view const kept = std::string_view(each.raw).substr(0, odd_bytes_max);
        ids.push_back(random_uuid());
        subjects.push_back(held.calendar.str() + "/" + scrub_text(each.event_id.substr(0, odd_id_max)));
        reasons.push_back(scrub_text(each.reason));
        details.push_back(scrub_text(each.detail.substr(0, odd_detail_max)));
        hashes.emplace_back(digest.begin(), digest.end());
        values.emplace_back(kept.begin(), kept.end());
    }
    pg::params with;
    with.add(held.tenant).add_array(ids).add_array(subjects).add_array(reasons).add_array(details).add_array(hashes).add_array(values);
    auto const rows = co_await tx.query(set_aside, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

}  // namespace calbridge::store
