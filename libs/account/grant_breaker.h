#pragma once
// A wrong client id makes every grant look revoked. When many fail within minutes, the trouble is ours and nobody is disconnected.

#include "common/base/clock.h"
#include "common/base/ids.h"

#include <cstddef>
#include <map>

namespace calbridge::account {

class grant_breaker {
public:
    static constexpr std::size_t failures_max = 5;
    static constexpr std::chrono::minutes window{2};

    // Notes that Google called this connection's grant invalid. True: mark it revoked. False: more than five different ones failed
    // within two minutes, so mark nobody.
    bool may_mark(connection_id connection, instant now) {
        std::erase_if(failed_, [&](auto const& one) { return now - one.second >= window; });
        // Bounded: once it is open, who else failed makes no difference.
        if (failed_.size() <= failures_max || failed_.contains(connection)) failed_[connection] = now;
        return failed_.size() <= failures_max;
    }

private:
    std::map<connection_id, instant> failed_;
};

}  // namespace calbridge::account
