#include "common/pg/sqlstate.h"

#include <array>

namespace calbridge::pg {

verdict judge(server_report const& report) {
    std::string_view const state = report.sqlstate;
    std::string_view const kind = state.substr(0, 2);
    if (state == "40001" || state == "40P01" || state == "55P03") return {errc::conflict, false};
    if (state == "23505") return {errc::exists, false};
    if (state == "57014") return {errc::timed_out, false};
    if (kind == "22") return {errc::malformed, false};
    // Read-only: after a failover this connection leads to what is now a standby.
    if (state == "25006") return {errc::unavailable, true};
    // A session ended for idling in a transaction, or idling at all.
    if (state == "25P03" || state == "57P05") return {errc::unavailable, true};
    // A table changed its shape under a prepared plan: a new connection plans anew.
    if (state == "0A000" && report.routine == "RevalidateCachedQuery") return {errc::unavailable, true};
    // A prepared statement is not what we remember: something reset the session.
    if (state == "26000" || state == "42P05") return {errc::unavailable, true};
    if (kind == "08" || kind == "57" || kind == "58") return {errc::unavailable, true};
    // Out of disk, memory or connections: the statement failed, the session is sound.
    if (kind == "53") return {errc::unavailable, false};
    return {errc::internal, false};
}

std::string describe(server_report const& report) {
    std::string text(report.sqlstate.empty() ? std::string_view("no SQLSTATE") : report.sqlstate);
    if (!report.constraint.empty()) text.append(" constraint ").append(report.constraint);
    // Messages of classes 22 and 23 may quote a value ("invalid input syntax for type uuid: …"); those of the classes below
    // speak about our own statements, the session or the server.
    constexpr std::array<std::string_view, 11> harmless{"08", "0A", "25", "26", "28", "40", "42", "53", "55", "57", "58"};
    for (std::string_view const kind : harmless) {
        if (report.sqlstate.starts_with(kind)) {
            text.append(" ").append(report.message);
            break;
        }
    }
    return text;
}

}  // namespace calbridge::pg
