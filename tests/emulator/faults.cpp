#include "tests/emulator/faults.h"

#include <algorithm>
#include <array>

namespace calbridge::emulator {

namespace {

bj::object to_json(fault const& f) {
    return {{"match", bj::object{{"method", f.method}, {"path_prefix", f.path_prefix}, {"path_contains", f.path_contains}, {"nth", f.nth}}},
            {"action", f.action},
            {"status", f.status},
            {"reason", f.reason},
            {"delay_ms", f.delay_ms},
            {"times", f.times},
            {"seen", f.seen},
            {"hit", f.hit}};
}

}  // namespace

fault* due_fault(std::vector<fault>& all, request const& r) {
    fault* chosen = nullptr;
    for (auto& f : all) {
        if (!f.method.empty() && f.method != r.method) continue;
        if (!r.path.starts_with(f.path_prefix) || r.path.find(f.path_contains) == std::string::npos) continue;
        ++f.seen;
        bool const wanted = (f.nth == 0 || f.seen >= f.nth) && (f.times == 0 || f.hit < f.times);
        if (!wanted || chosen != nullptr) continue;
        ++f.hit;
        chosen = &f;
    }
    return chosen;
}

std::string add_faults(std::vector<fault>& all, bj::value const& whole) {
    bj::array const list = whole.is_array() ? whole.get_array() : bj::array{whole};
    std::vector<fault> added;
    for (auto const& item : list) {
        if (!item.is_object()) return "a fault is an object";
        auto const& o = item.get_object();
        fault f;
        if (auto const* m = object_at(o, "match")) {
            f.method = std::string(text_at(*m, "method"));
            f.path_prefix = std::string(text_at(*m, "path_prefix"));
            f.path_contains = std::string(text_at(*m, "path_contains"));
            if (auto const* n = m->if_contains("nth"); n != nullptr && n->is_int64()) f.nth = n->get_int64();
        }
        f.action = std::string(text_at(o, "action", "status"));
        static constexpr std::array known{"status", "lost_response", "delay", "html_502", "truncated", "reset"};
        if (std::ranges::find(known, f.action) == known.end()) return "action is not known";
        if (auto const* n = o.if_contains("status"); n != nullptr && n->is_int64()) f.status = static_cast<int>(n->get_int64());
        if (auto const* n = o.if_contains("delay_ms"); n != nullptr && n->is_int64()) f.delay_ms = n->get_int64();
        if (auto const* n = o.if_contains("times"); n != nullptr && n->is_int64()) f.times = n->get_int64();
        f.reason = std::string(text_at(o, "reason", f.reason));
        f.domain = std::string(text_at(o, "domain", f.status == 403 || f.status == 429 ? "usageLimits" : "global"));
        f.message = std::string(text_at(o, "message", f.reason == "backendError" ? "Backend Error" : f.reason));
        if (auto const* a = o.if_contains("retry_after"))
            f.retry_after = a->is_int64() ? std::to_string(a->get_int64()) : a->is_string() ? std::string(a->get_string()) : "";
        f.lost_by_close = text_at(o, "how", "close") == "close";
        added.push_back(std::move(f));
    }
    all.insert(all.end(), added.begin(), added.end());
    return {};
}

bj::array faults_to_json(std::vector<fault> const& all) {
    bj::array out;
    for (auto const& f : all) out.emplace_back(to_json(f));
    return out;
}

answer answer_with_fault(fault const& f, std::function<answer()> const& real, std::function<std::string(int status)> const& refusal) {
    answer out;
    auto const refuse_it = [&] {
        out = {};
        out.status = f.status;
        out.fields.emplace_back("Content-Type", "application/json; charset=UTF-8");
        out.body = refusal(f.status);
    };
    if (f.action == "status") {
        refuse_it();
    } else if (f.action == "html_502") {
        out.status = 502;
        out.fields.emplace_back("Content-Type", "text/html; charset=UTF-8");
        out.body =
            "<!DOCTYPE html><html lang=en><title>Error 502 (Server Error)!!1</title><p><b>502.</b> <ins>That's an error.</ins>"
            "<p>The server encountered a temporary error and could not complete your request.</html>";
    } else if (f.action == "reset") {
        out.sent = answer::how::dropped;
    } else {
        out = real();
        if (f.action == "truncated") out.sent = answer::how::cut;
        else if (f.action == "lost_response" && f.lost_by_close) out.sent = answer::how::dropped;
        else if (f.action == "lost_response") refuse_it();
    }
    if (!f.retry_after.empty()) out.fields.emplace_back("Retry-After", f.retry_after);
    out.delay = std::chrono::milliseconds(f.delay_ms);
    return out;
}

}  // namespace calbridge::emulator
