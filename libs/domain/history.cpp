#include "domain/history.h"

#include <fmt/format.h>

#include <algorithm>

namespace calbridge::domain {
namespace {

constexpr std::size_t words_max = 200;

std::string cut(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    if (text.size() <= words_max) return text;
    std::size_t end = words_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    return text + "…";
}

std::string quoted(std::string text) { return text.empty() ? std::string("nothing") : "\"" + cut(std::move(text)) + "\""; }

std::vector<field> fields_of(history_item const& item) {
    std::vector<field> out;
    for (auto const& named : item.pushed)
        if (auto const f = field_named(named)) out.push_back(*f);
    return out;
}

std::string spoken(field f) { return f == field::meet ? "Meet link" : f == field::color ? "colour" : std::string(name(f)); }

std::string listed(std::vector<field> const& all) {
    std::string out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i > 0) out += i + 1 == all.size() ? " and " : ", ";
        out += spoken(all[i]);
    }
    return out.empty() ? std::string("nothing") : out;
}

std::string person(std::string const& who) {
    if (who == "crm") return "the CRM";
    if (who == "google") return "Google Calendar";
    return who.starts_with("user ") || who.starts_with("admin ") ? who : "calbridge";
}

bool is_push(std::string const& kind) { return kind == "create" || kind == "patch" || kind == "delete" || kind == "move"; }

std::string headline_of(history_item const& item) {
    auto const what = listed(fields_of(item));
    if (item.kind == "create") return "The event was created in Google Calendar.";
    if (item.kind == "patch") return fmt::format("The CRM's {} went to Google Calendar.", what);
    if (item.kind == "delete") return "The event was removed from Google Calendar, because the task no longer wants one.";
    if (item.kind == "move") return "The event moved to another calendar.";
    if (item.kind == "import") return "An event made in Google Calendar became this task.";
    if (item.kind == "resolve") return fmt::format("A conflict was settled by {}.", person(item.who));
    if (item.kind == "undo") return fmt::format("An earlier change was taken back by {}.", person(item.who));
    if (item.kind.starts_with("zoom_")) return fmt::format("The Zoom meeting was {}d.", item.kind.substr(5));
    if (item.kind == "read_back") return "The event was read again to see what an earlier call had done.";
    if (is_deletion_from_google(item)) return "The event was deleted in Google Calendar.";
    if (item.why == "edited_and_deleted_crm_won" || item.why == "deleted_in_google_put_back")
        return "The event was deleted in Google Calendar and put back.";
    if (item.why.starts_with("cancelled_and_edited")) return "The task was cancelled while its event was edited in Google Calendar.";
    if (item.pushed.empty() && !item.conflicts.empty()) return "The task and the event were changed at the same time.";
    return fmt::format("Somebody changed {} in Google Calendar, and the task took it over.", what);
}

std::string answer_of(history_item const& item) {
    if (item.state == "pending") return "No answer yet: the event is read back before anything else is sent.";
    if (item.state == "abandoned")
        return "It did not take effect (" + (item.answer_reason.empty() ? "not applied" : item.answer_reason) + ").";
    if (item.state == "failed") {
        auto const status = item.answer_status ? fmt::format("{} ", *item.answer_status) : std::string();
        return fmt::format("Google refused it: {}{}.", status, item.answer_reason.empty() ? "no reason given" : item.answer_reason);
    }
    if (item.answer_reason == "read_back") return "Google's answer was lost; reading the event showed that it had taken effect.";
    return "Google accepted it.";
}

std::string verdict_of(field_conflict const& c) {
    auto const versions = fmt::format("the CRM said {}, Google said {}, before it was {}", quoted(c.crm), quoted(c.google), quoted(c.base));
    if (!c.winner) return fmt::format("Both sides changed the {}: {}.", spoken(c.which), versions);
    return fmt::format("Both sides changed the {}: {}. {} version won.", spoken(c.which), versions,
                       *c.winner == side::crm ? "The CRM's" : "Google's");
}

std::string reason_of(history_item const& item) {
    static constexpr std::pair<std::string_view, std::string_view> known[] = {
        {"push", "Why: the task had changed."},
        {"pull", "Why: the event had changed."},
        {"merge", "Why: both sides had changed, in different fields."},
        {"settled", "Why: both sides had changed the same field, and the connection's rule decided."},
        {"conflict", "Why: both sides had changed the same field, and the rule is to ask."},
        {"task without an event", "Why: the task had no event yet."},
        {"deleted_in_google", "The connection's choice for events deleted in Google was followed."},
        {"deleted_in_google_put_back", "The connection's choice is to put such events back."},
        {"edited_and_deleted_crm_won", "The task had been edited meanwhile, and by the connection's rule the edit won."},
        {"edited_and_deleted_google_won", "The task had been edited meanwhile, and by the connection's rule the deletion won."},
        {"cancelled_and_edited_crm_won", "By the connection's rule the cancellation won."},
        {"cancelled_and_edited_google_won", "By the connection's rule the edit won: the event stays, without the task."},
    };
    for (auto const& [code, sentence] : known)
        if (item.why == code) return std::string(sentence);
    return {};
}

}  // namespace

bool is_deletion_from_google(history_item const& item) {
    return item.kind == "pull" && (item.why == "deleted_in_google" || item.why == "edited_and_deleted_google_won");
}

field_set undo_fields(history_item const& item) {
    field_set out;
    if (!item.before || !item.expected) return out;
    for (auto const f : fields_of(item))
        if (!is_push_only(f) && !same(f, *item.before, *item.expected)) out.add(f);
    return out;
}

std::optional<refusal> undo_refusal(history_item const& item, instant now) {
    if (item.at + undo_life < now) return refusal{"too_old", "Changes can be taken back for 30 days."};
    if (item.state == "pending") return refusal{"not_finished", "This has not been answered by Google yet. Try again in a minute."};
    if (item.state != "done") return refusal{"did_not_happen", "This did not take effect, so there is nothing to take back."};
    if (item.kind == "create") return refusal{"created", "Cancel the task, or switch its syncing off, to remove its event."};
    if (item.kind == "delete")
        return refusal{"asked_by_crm", "The CRM asked for this deletion. Open the task again in the CRM to get its event back."};
    if (item.kind == "move") return refusal{"moved", "Choose the calendar in the task to move the event back."};
    if (item.kind == "import") return refusal{"imported", "Delete the task in the CRM if it should not be there."};
    if (is_deletion_from_google(item)) return {};
    if (item.kind != "patch" && item.kind != "pull" && item.kind != "resolve" && item.kind != "undo")
        return refusal{"nothing_to_undo", "There is nothing here to take back."};
    if (undo_fields(item).empty())
        return refusal{"nothing_to_undo", "What this changed follows the task by itself; there is nothing to take back."};
    return {};
}

explanation explain(history_item const& item, instant now) {
    explanation out;
    out.headline = headline_of(item);
    for (auto const f : fields_of(item)) {
        if (!item.expected) continue;
        field_change change{spoken(f), item.before ? describe(f, *item.before) : std::string(), describe(f, *item.expected)};
        if (change.before == change.after) continue;
        out.sentences.push_back(item.before ? fmt::format("{}: from {} to {}.", change.field, quoted(change.before), quoted(change.after))
                                            : fmt::format("{}: {}.", change.field, quoted(change.after)));
        out.changes.push_back(std::move(change));
    }
    if (auto why = reason_of(item); !why.empty()) out.sentences.push_back(std::move(why));
    for (auto const& c : item.conflicts) out.sentences.push_back(verdict_of(c));
    if (is_push(item.kind)) {
        out.sentences.push_back(answer_of(item));
        if (item.send_updates == "all") out.sentences.emplace_back("Guests were told by mail.");
        if (item.send_updates == "externalOnly") out.sentences.emplace_back("Guests outside Google Calendar were told by mail.");
    }
    out.undo_refused = undo_refusal(item, now);
    if (!out.undo_refused) out.undo_until = item.at + undo_life;
    return out;
}

}  // namespace calbridge::domain
