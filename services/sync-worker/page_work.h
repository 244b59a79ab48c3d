#pragma once
// Working memory of one page of events while it is applied, shared by the files that do so.

#include "pass.h"
#include "writer.h"

#include <set>

namespace calbridge::worker {

struct page_view {
    pass& p;
    pg::transaction& tx;
    surroundings const& around;
    std::vector<store::outbox_message>& messages;
    std::vector<domain::calendar_event> items;
    std::map<std::string, std::size_t> newest{};         // position of each id's last item
    std::map<std::string, store::task_and_link> rows{};  // by event id: links of any state, as they were
    std::map<uuid, store::operation_row> operations{};
    std::map<std::string, store::task_and_link> series{};  // by event id: whole events with an open link, as they are by now
    std::set<std::string> gone{};                          // ended or moved away on this page
    std::set<std::string> quiet{};                         // rows of occurrences that ended with a cut on this page
    std::vector<series_cut_seen> cuts{};                   // linked series a person cut on this page
    std::vector<std::string> reread{};                     // series whose exceptions the mirror may hold already
    std::map<std::string, link_id> made{};                 // by event id: links made on this page
    std::vector<store::odd_event> odd{};
};

bool is_open(store::task_and_link const& rows);
std::optional<store::operation_row> stamped_by(page_view const& v, domain::calendar_event const& event);
void set_aside(page_view& v, domain::calendar_event const& event, std::string reason, std::string detail);
// Rows as they are once `e` is written.
store::task_and_link after(effects const& e);
// Writes what an item means; what is odd about it is set aside.
task<result<void>> take_in(page_view& v, inbound const& seen, domain::calendar_event const& event);

// Unlinked events that become tasks, by the rules or because they follow a linked series (import_work.cpp).
task<result<void>> take_in_imports(page_view& v);
// Exceptions of linked series (exception_work.cpp).
task<result<void>> take_in_exceptions(page_view& v);

}  // namespace calbridge::worker
