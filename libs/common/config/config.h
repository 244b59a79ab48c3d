#pragma once
// Each setting is declared once: name, type, default, bounds, unit, secret or not, one sentence. The loader, the start-up
// summary and docs/configuration.md all come from that one table.

#include "common/base/result.h"
#include "common/base/secret.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::config {

struct setting {
    std::string name;  // environment variable, CALBRIDGE_… (or one of the well-known GOOGLE_… names)
    std::string type;  // text, secret, integer, duration, boolean, url, list
    std::string fallback;
    bool required{false};
    bool is_secret{false};
    std::string bounds;
    std::string meaning;
    std::function<std::string(std::string const&)> assign;  // empty answer: accepted; else what is wrong
};

// Filled by a settings struct's constructor-like function; each bind names its target member.
class table {
public:
    explicit table(std::string service) : service_(std::move(service)) {}
    struct doc {
        std::string name;
        std::string meaning;
    };

    table& text(doc what, std::string& target, std::string fallback, std::size_t length_max = 4096);
    table& required_text(doc what, std::string& target, std::size_t length_max = 4096);
    table& required_secret(doc what, secret& target);  // also read from NAME_FILE
    table& optional_secret(doc what, secret& target);  // also read from NAME_FILE
    table& integer(doc what, std::int64_t& target, std::int64_t fallback, std::int64_t min, std::int64_t max);
    table& boolean(doc what, bool& target, bool fallback);
    // "250ms", "5s", "2m", "6h", "7d".
    table& duration(doc what, std::chrono::milliseconds& target, std::chrono::milliseconds fallback, std::chrono::milliseconds min,
                    std::chrono::milliseconds max);
    table& url(doc what, std::string& target, std::string fallback);  // absolute http(s), no user info, no fragment, no trailing slash kept
    table& required_url(doc what, std::string& target);
    table& list(doc what, std::vector<std::string>& target, std::string fallback);  // comma-separated

    // A rule over several settings, asked once all are assigned; a fault it answers (empty: none) is reported under `name` with the others.
    struct rule {
        std::string name;
        std::function<std::string()> check;
    };
    table& require(std::string name, std::function<std::string()> check) {
        rules_.push_back({std::move(name), std::move(check)});
        return *this;
    }

    std::string const& service() const { return service_; }
    std::vector<setting> const& settings() const { return settings_; }
    std::vector<rule> const& rules() const { return rules_; }

private:
    std::string service_;
    std::vector<setting> settings_;
    std::vector<rule> rules_;
};

using environment = std::map<std::string, std::string, std::less<>>;
environment process_environment();

// Assigns every setting. The error lists every fault at once, one per line: missing, out of bounds, unreadable *_FILE, and
// unknown CALBRIDGE_ variables (nearest known name suggested). Variables of other services are in `also_known`.
result<void> load(table const& settings, environment const& env, std::vector<std::string> const& also_known = {});

// "NAME=value" lines; secrets print as set or unset.
std::vector<std::string> summary(table const& settings, environment const& env);
// Markdown section for docs/configuration.md.
std::string markdown(table const& settings);

}  // namespace calbridge::config
