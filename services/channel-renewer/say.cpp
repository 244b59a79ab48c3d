#include "say.h"

namespace calbridge::renewer {

task<result<void>> say(pg::database& db, store::alert what, bool raised) {
    auto tx = co_await db.begin(what.tenant);
    if (!tx) co_return tx.error();
    auto told = raised ? store::raise_alert(**tx, what) : store::resolve_alert(**tx, what);
    auto const written = co_await std::move(told);
    if (!written) co_return written.error();
    co_return co_await (*tx)->commit();
}

}  // namespace calbridge::renewer
