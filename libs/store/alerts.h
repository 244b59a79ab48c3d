#pragma once
// What admins are told: one open alert per kind and subject, a message on sync-alerts when it opens and when it is over.

#include "common/base/ids.h"
#include "common/pg/database.h"

#include <string>

namespace calbridge::store {

struct alert {
    tenant_id tenant;
    std::string kind;     // "connection_revoked", "push_silent", …: all of them in docs/topics.md
    std::string subject;  // id of the connection, calendar or tenant
    std::string explanation;
};
// True when it was not open before. Its message stands in the outbox then, free to be published by the sweep at once.
task<result<bool>> raise_alert(pg::transaction& tx, alert const& what);
// True when it was open.
task<result<bool>> resolve_alert(pg::transaction& tx, alert const& what);

}  // namespace calbridge::store
