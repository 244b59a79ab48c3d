#include "domain/requests.h"

#include "common/base/encoding.h"
#include "common/crypto/crypto.h"

#include <span>

namespace calbridge::domain {

std::string_view name(request_kind k) {
    switch (k) {
    case request_kind::resolve_conflict: return "resolve_conflict";
    case request_kind::undo: return "undo";
    case request_kind::bulk_sync: return "bulk_sync";
    case request_kind::deletions: return "deletions";
    case request_kind::retry: return "retry";
    case request_kind::retry_quarantine: return "retry_quarantine";
    case request_kind::drop_quarantine: return "drop_quarantine";
    case request_kind::full_resync: return "full_resync";
    }
    return "unknown";
}

std::optional<request_kind> request_kind_named(std::string_view n) {
    for (auto const k : {request_kind::resolve_conflict, request_kind::undo, request_kind::bulk_sync, request_kind::deletions,
                         request_kind::retry, request_kind::retry_quarantine, request_kind::drop_quarantine, request_kind::full_resync}) {
        if (name(k) == n) return k;
    }
    return {};
}

std::string_view name(whole_choice c) {
    switch (c) {
    case whole_choice::put_back: return "put_back";
    case whole_choice::cancel_task: return "cancel_task";
    case whole_choice::remove_event: return "remove_event";
    case whole_choice::keep_event: return "keep_event";
    }
    return "unknown";
}

std::optional<whole_choice> whole_choice_named(std::string_view n) {
    for (auto const c : {whole_choice::put_back, whole_choice::cancel_task, whole_choice::remove_event, whole_choice::keep_event}) {
        if (name(c) == n) return c;
    }
    return {};
}

std::string conflict_version(std::string_view subject, std::string_view whole, std::vector<field_conflict> const& open) {
    // Lengths keep two different lists of texts from reading the same.
    std::string all;
    auto const add = [&all](std::string_view text) {
        all += std::to_string(text.size());
        all += ':';
        all += text;
    };
    add(subject);
    add(whole);
    for (auto const& one : open) {
        add(name(one.which));
        add(one.crm);
        add(one.google);
    }
    auto const digest = crypto::sha256(all);
    return hex(std::span(digest).first(12));
}

}  // namespace calbridge::domain
