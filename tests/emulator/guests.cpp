#include "tests/emulator/guests.h"

#include "tests/emulator/event_rules.h"
#include "tests/emulator/event_store.h"

namespace calbridge::emulator {

namespace {

void take_shared(event& copy, event const& from) {
    bj::object own;
    for (auto const* name : {"colorId", "transparency", "visibility", "status"})
        if (auto const* v = copy.body.if_contains(name)) own[name] = *v;
    bj::value private_part;
    if (auto const* p = object_at(copy.body, "extendedProperties"))
        if (auto const* v = p->if_contains("private")) private_part = *v;
    copy.body = shared_part(from.body);
    for (auto const& [name, value] : own) copy.body[name] = value;
    if (!private_part.is_null()) {
        auto& p = copy.body["extendedProperties"];
        if (!p.is_object()) p = bj::object{};
        p.get_object()["private"] = std::move(private_part);
    }
    copy.starts = from.starts;
    copy.ends = from.ends;
    copy.all_day = from.all_day;
    copy.meet_request = from.meet_request;
}

}  // namespace

void spread(core& c, calendar const& home, event const& e, bj::array const& before, writer const& w) {
    if (flag_at(e.body, "privateCopy") || e.detached) return;
    for (auto const& item : attendees_of(e.body)) {
        auto* cal = c.find_calendar(text_at(item.get_object(), "email"));
        if (cal == nullptr || cal == &home || !cal->primary || e.cancelled) continue;
        auto const it = cal->events.find(e.id);
        if (it == cal->events.end()) {
            if (cal->retired.contains(e.id)) continue;
            event copy;
            copy.id = e.id;
            copy.created = c.now();
            copy.body["status"] = text_at(e.body, "status", "confirmed");
            take_shared(copy, e);
            touch(c, *cal, store(*cal, std::move(copy)), "insert", w);
            continue;
        }
        auto& held = it->second;
        // A guest who removed their copy is not invited again by a later edit.
        if (held.cancelled && attendee(before, cal->id) != nullptr) continue;
        event next = held;
        next.cancelled = next.bare = false;
        next.body["status"] = text_at(e.body, "status", "confirmed");
        take_shared(next, e);
        if (next.body == held.body && !held.cancelled) continue;
        replace_stored(*cal, held, std::move(next));
        touch(c, *cal, held, "update", w);
    }
    for (auto const& item : before) {
        auto const email = text_at(item.get_object(), "email");
        if (!e.cancelled && attendee(attendees_of(e.body), email) != nullptr) continue;
        auto* cal = c.find_calendar(email);
        if (cal == nullptr || cal == &home || !cal->primary) continue;
        auto const it = cal->events.find(e.id);
        if (it == cal->events.end() || it->second.cancelled || organizer_of(it->second) == cal->id) continue;
        cancel(*cal, it->second, true);
        touch(c, *cal, it->second, "delete", w);
    }
}

void report_to_organizer(core& c, calendar const& guest_cal, event const& copy, writer const& w) {
    auto* home = c.find_calendar(organizer_of(copy));
    auto* original = home != nullptr ? find_event(*home, copy.id) : nullptr;
    if (original == nullptr || original->cancelled) return;
    auto const before = attendees_of(original->body);
    if (before.size() > 200) return;
    event next = *original;
    if (flag_at(original->body, "guestsCanModify")) {
        take_shared(next, copy);
    } else if (auto* all = next.body.if_contains("attendees")) {
        auto const& theirs = attendees_of(copy.body);
        for (auto& item : all->get_array())
            if (text_at(item.get_object(), "email") == guest_cal.id)
                if (auto const* own = attendee(theirs, guest_cal.id)) item = *own;
        for (auto const& item : theirs)
            if (attendee(before, text_at(item.get_object(), "email")) == nullptr) all->get_array().push_back(item);
        if (auto const* p = object_at(copy.body, "extendedProperties"))
            if (auto const* s = p->if_contains("shared")) {
                auto& to = next.body["extendedProperties"];
                if (!to.is_object()) to = bj::object{};
                to.get_object()["shared"] = *s;
            }
    }
    if (next.body == original->body) return;
    replace_stored(*home, *original, std::move(next));
    touch(c, *home, *original, "update", w);
    spread(c, *home, *original, before, w);
}

bool guest_may(calendar const& cal, event const& old, event const& next) {
    if (flag_at(old.body, "guestsCanModify")) return true;
    auto a = shared_part(old.body), b = shared_part(next.body);
    for (auto* o : {&a, &b}) {
        o->erase("attendees");
        o->erase("extendedProperties");
        o->erase("sequence");
    }
    if (a != b) return false;
    auto const& was = attendees_of(old.body);
    auto const& is = attendees_of(next.body);
    for (auto const& item : was) {
        auto const email = text_at(item.get_object(), "email");
        auto const* now = attendee(is, email);
        if (now == nullptr || (email != cal.id && *now != item.get_object())) return false;
    }
    return is.size() == was.size() || flag_at(old.body, "guestsCanInviteOthers", true);
}

bj::array with_own_answer(bj::array const& stored, bj::array const& sent, std::string_view self) {
    bj::array out = stored;
    auto const* own = attendee(sent, self);
    if (own == nullptr) return out;
    for (auto& item : out)
        if (text_at(item.get_object(), "email") == self) merge(item.get_object(), *own);
    return out;
}

void record_mails(core& c, calendar const& cal, event const& e, bj::array const& before, writer const& w) {
    if (w.no_mail_of_any_kind()) return;
    std::map<std::string, std::vector<std::string>> by_kind;
    auto const wanted = [&](std::string_view email) {
        return email != cal.id && email != w.user && (w.send_updates == "all" || c.find_user(email) == nullptr);
    };
    auto const& after = attendees_of(e.body);
    for (auto const& item : after) {
        std::string const email(text_at(item.get_object(), "email"));
        if (wanted(email))
            by_kind[e.cancelled ? "cancellation" : attendee(before, email) == nullptr ? "invitation" : "update"].push_back(email);
    }
    for (auto const& item : before) {
        std::string const email(text_at(item.get_object(), "email"));
        if (wanted(email) && attendee(after, email) == nullptr) by_kind["cancellation"].push_back(email);
    }
    for (auto& [kind, to] : by_kind) c.mails.push_back({c.now(), kind, cal.id, e.id, w.user, std::move(to), w.send_updates});
}

}  // namespace calbridge::emulator
