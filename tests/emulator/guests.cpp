#include "tests/emulator/guests.h"

#include "tests/emulator/event_rules.h"
#include "tests/emulator/event_store.h"
#include "tests/emulator/series.h"

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
    copy.original = from.original;
    copy.original_all_day = from.original_all_day;
    copy.meet_request = from.meet_request;
}

}  // namespace

namespace {

// The guest's calendar when they are one of ours.
calendar* calendar_of_guest(core& c, calendar const& home, bj::value const& attendee) {
    auto* cal = c.find_calendar(text_at(attendee.get_object(), "email"));
    return cal == nullptr || cal == &home || !cal->primary ? nullptr : cal;
}

void give_copy(core& c, calendar& cal, event const& e, bj::array const& before, writer const& w) {
    auto at = aim(cal, e.id);
    if (!at || at.get()->orphan) {
        if (cal.retired.contains(e.id)) return;
        event copy;
        copy.id = e.id;
        copy.created = c.now();
        if (at.kept != nullptr) copy.change = at.kept->change;
        copy.body["status"] = text_at(e.body, "status", "confirmed");
        take_shared(copy, e);
        touch(c, cal, store(cal, std::move(copy)), "insert", w);
        return;
    }
    event const held = *at.get();
    // A guest who removed their copy is not invited again by a later edit.
    if (held.cancelled && attendee(before, cal.id) != nullptr) return;
    event next = held;
    next.cancelled = next.bare = false;
    next.body["status"] = text_at(e.body, "status", "confirmed");
    take_shared(next, e);
    if (attendees_of(e.body).size() > 200) next.body["attendees"] = with_own_answer(attendees_of(e.body), attendees_of(held.body), cal.id);
    if (next.body == held.body && !held.cancelled) return;
    auto& kept = keep(cal, at, std::move(next));
    touch(c, cal, kept, "update", w);
    after_write(c, cal, held, kept, w);
}

void take_copy(core& c, calendar& cal, event const& e, writer const& w) {
    auto at = aim(cal, e.id);
    if (!at || at.get()->cancelled || organizer_of(*at.get()) == cal.id) return;
    event dead = *at.get();
    cancel(dead, !is_exception(dead));
    auto& kept = keep(cal, at, std::move(dead));
    touch(c, cal, kept, "delete", w);
    drop_exceptions(cal, kept.id);
}

}  // namespace

void spread(core& c, calendar const& home, event const& e, bj::array const& before, writer const& w) {
    if (flag_at(e.body, "privateCopy") || e.detached) return;
    if (!e.cancelled)
        for (auto const& item : attendees_of(e.body))
            if (auto* cal = calendar_of_guest(c, home, item)) give_copy(c, *cal, e, before, w);
    for (auto const& item : before) {
        if (!e.cancelled && attendee(attendees_of(e.body), text_at(item.get_object(), "email")) != nullptr) continue;
        if (auto* cal = calendar_of_guest(c, home, item)) take_copy(c, *cal, e, w);
    }
}

void report_to_organizer(core& c, calendar const& guest_cal, event const& copy, writer const& w) {
    auto* home = c.find_calendar(organizer_of(copy));
    auto at = home != nullptr ? aim(*home, copy.id) : target{};
    if (!at || at.get()->cancelled) return;
    event const original = *at.get();
    auto const before = attendees_of(original.body);
    if (before.size() > 200) return;
    event next = original;
    if (flag_at(original.body, "guestsCanModify")) {
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
    if (next.body == original.body) return;
    auto& kept = keep(*home, at, std::move(next));
    touch(c, *home, kept, "update", w);
    after_write(c, *home, original, kept, w);
    spread(c, *home, kept, before, w);
}

bool guest_may(calendar const& cal, event const& old, event const& next) {
    if (flag_at(old.body, "guestsCanModify")) return true;
    // The same time may be spelled for another zone.
    if (old.starts != next.starts || old.ends != next.ends || old.all_day != next.all_day) return false;
    auto a = shared_part(old.body), b = shared_part(next.body);
    for (auto* o : {&a, &b}) {
        o->erase("attendees");
        o->erase("extendedProperties");
        for (auto const* name : {"sequence", "start", "end"}) o->erase(name);
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
