#pragma once
// Writes a decision's effects inside an open transaction.

#include "engine.h"
#include "parts.h"

namespace calbridge::worker {

surroundings surroundings_of(parts const& with, store::connection_row connection, store::calendar_row calendar);

// Everything in `what`, in the trace of `cause`; messages for the outbox are written and appended to `sent_after_commit`.
task<result<void>> write(parts const& with, pg::transaction& tx, effects const& what, std::vector<store::outbox_message>& sent_after_commit,
                         observe::trace_context const& cause);

// Messages to the CRM into the outbox, appended to `sent_after_commit`.
task<result<void>> tell_crm(parts const& with, pg::transaction& tx, std::vector<domain::task_update> const& updates,
                            std::vector<store::outbox_message>& sent_after_commit, observe::trace_context const& cause);

// Commits, then hands the messages to the publisher.
task<result<void>> commit(parts const& with, pg::transaction& tx, std::vector<store::outbox_message> messages);

}  // namespace calbridge::worker
