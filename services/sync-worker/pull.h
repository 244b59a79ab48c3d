#pragma once
// One pass over a calendar: incremental with the sync token, or full with mark and sweep.

#include "outcome.h"
#include "parts.h"

#include "store/work.h"

namespace calbridge::worker {

struct pass_outcome {
    std::optional<next_move> trouble;
    std::chrono::milliseconds wait{};
    std::string why;
    bool full{false};
    bool complete{false};
    int pages{0};
    std::size_t items{0}, changed{0}, linked{0}, odd{0}, imported{0};
    bool braked{false};  // too many deletions at once: pulling waits for a person's word
};

// errc::conflict: the lease was lost. Every page's effects and cursor commit together; the sync token is stored only with the last page.
task<result<pass_outcome>> pull_pass(parts const& with, store::held_lease held, observe::trace_context cause);

}  // namespace calbridge::worker
