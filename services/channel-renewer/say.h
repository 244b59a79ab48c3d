#pragma once
// An alert in a transaction of its own.

#include "store/alerts.h"

namespace calbridge::renewer {

// Raises it, or says that it is over.
task<result<void>> say(pg::database& db, store::alert what, bool raised);

}  // namespace calbridge::renewer
