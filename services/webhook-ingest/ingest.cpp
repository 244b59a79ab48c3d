#include "ingest.h"

#include "message.h"

#include "common/observe/log.h"

namespace calbridge::ingest {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::chrono::seconds absent_life{10};
constexpr std::chrono::seconds one_line_every{1};

}  // namespace

ingest::ingest(deps with, ingest_options options)
    : with_(std::move(with)), options_(std::move(options)), cache_(options_.channels_max), work_(with_.executor),
      seconds_(metrics::get_histogram("calbridge_ingest_delivery_seconds", "Time from a believed push to Kafka's confirmation.")) {
    for (std::size_t i = 0; i < outcome_count; ++i) {
        counters_[i] = &metrics::get_counter("calbridge_ingest_pushes_total", "Pushes by what became of them.",
                                             {{"outcome", std::string(name(static_cast<outcome>(i)))}});
    }
}

task<void> ingest::run() {
    work_.spawn("channels", follow());
    work_.spawn("late answers", release_late());
    co_await work_.join();
}

task<void> ingest::follow() {
    std::function<void(channel_id)> on_change = [this](channel_id id) { changed(id); };
    std::function<void()> on_gap = [this] { missed(); };
    co_await with_.channels.follow(std::move(on_change), std::move(on_gap));
}

task<void> ingest::release_late() {
    auto& size = metrics::get_gauge("calbridge_ingest_in_flight", "Records on their way to Kafka.");
    auto& cached = metrics::get_gauge("calbridge_ingest_channels_cached", "Channels remembered.");
    for (;;) {
        co_await sleep_for(late_answers_every);
        auto const now = steady::now();
        while (!answers_due_.empty() && answers_due_.front().until <= now) {
            auto const due = answers_due_.front();
            answers_due_.pop_front();
            // Whoever has been answered already is not there any more.
            port_->send_answer(due.whose, answer::unavailable);
        }
        size.set(static_cast<double>(in_flight_));
        cached.set(static_cast<double>(cache_.size()));
    }
}

std::optional<answer> ingest::on_request(http::request_head const& head, ticket whose) {
    if (head.method != "POST" || head.path != options_.path) return answer::not_found;
    auto const what = read_push(head);
    if (!what) return refuse(outcome::malformed);
    auto const traceparent = head.find("traceparent").value_or(std::string_view{});

    // A token seen before is compared; any other is verified. A forged one never costs more than that.
    auto* const known = cache_.find(what->channel);
    using knowledge = channel_cache::entry::knowledge;
    if (known && known->known == knowledge::found && !known->token.empty() && crypto::constant_time_equal(known->token, what->token)) {
        evidence const with{.token = known->content,
                            .said = evidence::look_up::found,
                            .channel = &known->facts,
                            .token_hash = as_text(known->facts.token_hash),
                            .delivered = known->delivered,
                            .now = with_.now.now()};
        return judge(*what, with, traceparent, whose);
    }
    auto const content = domain::verify_channel_token(with_.ring, what->channel, what->token);
    if (!content) return refuse(outcome::forged);
    if (!known || known->known == knowledge::none) return ask(*what, *content, traceparent, whose);
    auto const now = with_.now.now();
    if (known->known == knowledge::absent && now - known->asked_at > absent_life) return ask(*what, *content, traceparent, whose);

    auto const hash = crypto::sha256(what->token);
    bool const is_found = known->known == knowledge::found;
    evidence const with{.token = content,
                        .said = is_found ? evidence::look_up::found : evidence::look_up::absent,
                        .channel = &known->facts,
                        .token_hash = as_text(hash),
                        .delivered = known->delivered,
                        .now = now};
    if (is_found && hash == known->facts.token_hash) {
        known->token = what->token;
        known->content = *content;
    }
    return judge(*what, with, traceparent, whose);
}

std::optional<answer> ingest::judge(push const& what, evidence const& with, std::string_view traceparent, ticket whose) {
    auto const said = decide(what, with);
    if (said != outcome::accepted && said != outcome::accepted_unchecked) return refuse(said);
    return publish(what, with, said, traceparent, whose);
}

std::optional<answer> ingest::ask(push const& what, domain::channel_token_content const& token, std::string_view traceparent,
                                  ticket whose) {
    auto const at = questions_.find(what.channel);
    if (at != questions_.end()) {
        at->second.waiting.emplace_back(what, token, traceparent, whose);
        return std::nullopt;
    }
    if (questions_.size() >= options_.look_ups_max) {
        auto const* const known = cache_.find(what.channel);
        evidence const with{.token = token, .delivered = known ? known->delivered : 0, .now = with_.now.now()};
        return judge(what, with, traceparent, whose);
    }
    questions_[what.channel].waiting.emplace_back(what, token, traceparent, whose);
    work_.spawn("look up", look_up(what.channel));
    return std::nullopt;
}

task<void> ingest::look_up(channel_id id) {
    auto const said = co_await with_.channels.look_up(id, in(options_.look_up_time_max));
    learnt(id, said);
}

void ingest::learnt(channel_id id, result<std::optional<known_channel>> const& said) {
    auto const asked = questions_.extract(id);
    if (asked.empty()) return;
    auto& known = cache_.entry_of(id);
    known_channel facts;
    auto how = evidence::look_up::away;
    if (said) {
        how = *said ? evidence::look_up::found : evidence::look_up::absent;
        if (*said) facts = **said;
        if (!asked.mapped().outdated) {
            known.known = *said ? channel_cache::entry::knowledge::found : channel_cache::entry::knowledge::absent;
            known.facts = facts;
            known.asked_at = with_.now.now();
            known.token.clear();
        }
    } else {
        auto& last = said_at_[static_cast<std::size_t>(outcome::accepted_unchecked)];
        if (auto const now = steady::now(); now - last >= one_line_every) {
            last = now;
            log::warn("channel.look_up_failed", log::with({{"channel_id", id}}, said.error()));
        }
    }
    for (auto const& one : asked.mapped().waiting) {
        auto const what = one.view();
        auto const hash = crypto::sha256(what.token);
        auto const* const entry = cache_.find(id);
        evidence const with{.token = one.content,
                            .said = how,
                            .channel = &facts,
                            .token_hash = as_text(hash),
                            .delivered = entry ? entry->delivered : 0,
                            .now = with_.now.now()};
        auto const at_once = judge(what, with, one.traceparent, one.whose);
        if (at_once) port_->send_answer(one.whose, *at_once);
    }
    on_batch_end();
}

std::optional<answer> ingest::publish(push const& what, evidence const& with, outcome as, std::string_view traceparent, ticket whose) {
    if (in_flight_ >= options_.in_flight_max) {
        count(outcome::busy);
        return answer::unavailable;
    }
    ++in_flight_;
    auto const* const channel = as == outcome::accepted ? with.channel : nullptr;
    burst_.push_back(
        {make_record(options_.topic, what, *with.token, channel, traceparent, with.now), whose, what.channel, what.message_number, as});
    return std::nullopt;
}

// Sent together, so that librdkafka is woken once for a batch.
void ingest::on_batch_end() {
    if (burst_.empty()) return;
    auto const now = steady::now();
    // Two buffers that keep their memory: a large block taken and given back per batch makes the allocator tidy up each time.
    std::swap(burst_, leaving_);
    for (auto& one : leaving_) {
        answers_due_.push_back({one.whose, now + options_.answer_time_max});
        with_.producer.send(std::move(one.record), [this, whose = one.whose, channel = one.channel, number = one.message_number,
                                                    as = one.if_delivered, now](result<void> report) {
            seconds_.observe(std::chrono::duration<double>(steady::now() - now).count());
            delivered(whose, channel, number, as, report);
        });
    }
    leaving_.clear();
}

void ingest::delivered(ticket whose, channel_id channel, std::int64_t message_number, outcome as, result<void> const& report) {
    --in_flight_;
    with_.on_delivery(report.has_value());
    if (!report) {
        count(outcome::undelivered);
        auto& last = said_at_[static_cast<std::size_t>(outcome::undelivered)];
        if (auto const now = steady::now(); now - last >= one_line_every) {
            last = now;
            log::warn("push.undelivered", log::with({{"channel_id", channel}}, report.error()));
        }
        port_->send_answer(whose, answer::unavailable);
        return;
    }
    // Only now: a push answered 503 comes again under the same number and must pass.
    cache_.note_delivered(channel, message_number);
    count(as);
    port_->send_answer(whose, answer::ok);
}

answer ingest::refuse(outcome why) {
    count(why);
    auto& last = said_at_[static_cast<std::size_t>(why)];
    if (auto const now = steady::now(); now - last >= one_line_every) {
        last = now;
        log::info("push.refused", {{"reason", name(why)}, {"refused_so_far", counters_[static_cast<std::size_t>(why)]->value()}});
    }
    return answer::not_found;
}

void ingest::changed(channel_id id) {
    cache_.forget_facts(id);
    if (auto const at = questions_.find(id); at != questions_.end()) at->second.outdated = true;
}

void ingest::missed() {
    cache_.forget_all_facts();
    for (auto& [id, one] : questions_) one.outdated = true;
}

}  // namespace calbridge::ingest
