#include "tests/emulator/person.h"

#include "tests/emulator/event_rules.h"
#include "tests/emulator/event_store.h"
#include "tests/emulator/series.h"
#include "tests/emulator/times.h"

namespace calbridge::emulator {

namespace {

bj::array to_json(std::vector<std::string> const& lines) {
    bj::array out;
    for (auto const& l : lines) out.emplace_back(l);
    return out;
}

instant wall_at(event const& e, calendar const& cal) {
    auto const* start = object_at(e.body, "start");
    auto const zone = start != nullptr ? text_at(*start, "timeZone", cal.time_zone) : std::string_view(cal.time_zone);
    return e.all_day ? e.starts : wall_of(e.starts, zone);
}

// A whole point of time for a PATCH, so that nothing of the old one stays.
bj::object whole_point(bj::object const& like, instant at, bool all_day, std::string_view zone) {
    if (all_day) return {{"date", format_date(at)}, {"dateTime", nullptr}, {"timeZone", nullptr}};
    std::string const own(text_at(like, "timeZone", zone));
    return {{"date", nullptr}, {"dateTime", format_in_zone(at, own)}, {"timeZone", own}};
}

// One edit of one series, from the occurrence a person clicked on.
class series_edit {
public:
    series_edit(core& c, calendar& cal, event master, event clicked, person_edit const& edit)
        : c_(c), cal_(cal), master_(std::move(master)), clicked_(std::move(clicked)), edit_(edit),
          writer_{
              .user = edit.as.empty() ? cal.owner : edit.as, .send_updates = edit.send_updates, .conference = true, .attachments = true},
          view_{.user = writer_.user}, series_(series_of(master_, cal_)) {}

    reply run() {
        switch (edit_.over) {
        case person_edit::scope::one: return one();
        case person_edit::scope::following: return is_first() ? all() : following();
        case person_edit::scope::all: return all();
        }
        return all();
    }

private:
    bool is_first() const {
        bool first = true;
        walk(series_, [&](instant at) {
            first = at >= clicked_.original;
            return false;
        });
        return first;
    }

    reply one() {
        if (edit_.remove) return delete_event(c_, cal_, clicked_.id, {}, writer_);
        return write_event(c_, cal_, clicked_.id, edit_.change, false, {}, writer_, view_);
    }

    reply all() {
        if (edit_.remove) return delete_event(c_, cal_, master_.id, {}, writer_);
        event after = clicked_;
        if (auto no = changed(after)) return *no;
        auto change = edit_.change;
        if (change.contains("start") || change.contains("end")) {
            event next = master_;
            place(next, after, wall_at(master_, cal_) + (wall_at(after, cal_) - wall_at(clicked_, cal_)));
            change["start"] = next.body.at("start");
            change["end"] = next.body.at("end");
            if (!change.contains("recurrence") && master_.body.contains("recurrence"))
                change["recurrence"] = to_json(lines_shifted(series_, with_start(next)));
        }
        return write_event(c_, cal_, master_.id, change, false, {}, writer_, view_);
    }

    reply following() {
        bj::object const trim{{"recurrence", to_json(lines_before(series_, clicked_.original))}};
        if (edit_.remove) return write_event(c_, cal_, master_.id, trim, false, {}, writer_, view_);
        if (is_guest_copy(cal_, master_))
            return refuse(403, "calendar", "forbiddenForNonOrganizer",
                          "Shared properties can only be changed by the organizer of the event.");
        event tail = clicked_;
        if (auto no = changed(tail)) return *no;
        if (!edit_.change.contains("recurrence")) {
            series rest = series_;
            rest.first = clicked_.original;
            rest.lines = lines_from(series_, clicked_.original);
            tail.body["recurrence"] = to_json(lines_shifted(rest, with_start(tail)));
        }
        forget_answers(tail);
        if (c_.knob.tail_first) {
            auto done = insert_tail(tail);
            if (done.status == 200) (void)write_event(c_, cal_, master_.id, trim, false, {}, writer_, view_);
            return done;
        }
        if (auto done = write_event(c_, cal_, master_.id, trim, false, {}, writer_, view_); done.status != 200) return done;
        return insert_tail(tail);
    }

    // The clicked occurrence with the change made.
    std::optional<reply> changed(event& e) const {
        merge(e.body, writable_part(edit_.change, false));
        for (auto const* name : {"recurringEventId", "originalStartTime"}) e.body.erase(name);
        return settle(e, cal_);
    }

    // Gives `e` the wall time, and of `like` the kind, zones and length.
    void place(event& e, event const& like, instant wall) const {
        auto const& start = like.body.at("start").get_object();
        auto const zone = text_at(start, "timeZone", series_.zone);
        e.all_day = like.all_day;
        e.starts = e.all_day ? wall : at_wall(wall, zone);
        e.ends = e.starts + (like.ends - like.starts);
        e.body["start"] = whole_point(start, e.starts, e.all_day, zone);
        e.body["end"] = whole_point(like.body.at("end").get_object(), e.ends, e.all_day, zone);
    }

    series with_start(event const& e) const {
        series s = series_;
        s.first = e.starts;
        s.all_day = e.all_day;
        s.zone = std::string(text_at(e.body.at("start").get_object(), "timeZone", series_.zone));
        return s;
    }

    void forget_answers(event& tail) const {
        auto* all = tail.body.if_contains("attendees");
        if (all == nullptr) return;
        for (auto& a : all->get_array())
            if (text_at(a.get_object(), "email") != organizer_of(master_)) a.get_object()["responseStatus"] = "needsAction";
    }

    reply insert_tail(event const& tail) {
        std::string id = c_.random_id(26), uid;
        if (!edit_.new_id) {
            auto start = tail.all_day ? format_basic_date(clicked_.original) : format_basic_utc(clicked_.original);
            if (start.ends_with('Z')) start.pop_back();
            id = master_.id.substr(0, master_.id.find("_R")) + "_R" + start;
            uid = std::string(text_at(master_.body, "iCalUID"));
        }
        auto body = tail.body;
        for (auto const* name : {"iCalUID", "sequence", "status"}) body.erase(name);
        auto done = insert_as(c_, cal_, id, uid, body, writer_, view_);
        if (done.status != 200) return done;
        auto& kept = *find_event(cal_, id);
        kept.reminders = clicked_.reminders;
        if (auto const* link = clicked_.body.if_contains("hangoutLink")) kept.body["hangoutLink"] = *link;
        done.body = render(c_, cal_, kept, view_);
        return done;
    }

    core& c_;
    calendar& cal_;
    event master_, clicked_;
    person_edit const& edit_;
    writer writer_;
    view view_;
    series series_;
};

}  // namespace

reply edit_as_person(core& c, person_edit const& edit) {
    auto const missing = [] { return refuse(404, "global", "notFound", "Not Found"); };
    auto* cal = c.find_calendar(edit.calendar);
    if (cal == nullptr) return missing();
    age(c, *cal);
    auto at = aim(*cal, edit.event);
    if (!at || at.get()->orphan) return missing();
    event clicked = *at.get();
    auto const* master = is_exception(clicked) ? find_event(*cal, master_id_of(clicked)) : &clicked;
    // A guest of one occurrence has no series to edit.
    if (master == nullptr) master = &clicked;
    event const whole = *master;
    if (!is_exception(clicked)) {
        clicked.original = clicked.starts;
        if (edit.over == person_edit::scope::one && whole.is_master()) clicked = instance_of(*cal, whole, whole.starts);
    }
    return series_edit(c, *cal, whole, std::move(clicked), edit).run();
}

}  // namespace calbridge::emulator
