#pragma once
// calendar-changed messages that wake a worker. The work itself stands in PostgreSQL already, so they carry the cause `retry`, which raises
// nothing.

#include "store/rows.h"

#include "common/kafka/kafka.h"

namespace calbridge::renewer {

// For the outbox, when the wake-up belongs to an effect.
store::outbox_message wakeup_message(store::wake const& where, std::optional<connection_id> connection, instant at);
kafka::record record_of(store::outbox_message const& message);

// Sends one each; one that is lost is repeated when the work is overdue. Returns how many Kafka has.
task<std::size_t> send_wakeups(kafka::producer& to, std::vector<store::wake> where, instant at);

}  // namespace calbridge::renewer
