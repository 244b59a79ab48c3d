#include "common/base/secret.h"
#include "common/config/config.h"
#include "common/config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <set>
#include <unistd.h>

namespace calbridge::config {

namespace {

constexpr std::string_view prefix = "CALBRIDGE_";
constexpr std::string_view test_prefix = "CALBRIDGE_TEST_";  // addresses of the test environment, never settings
constexpr std::size_t file_bytes_max = 64 * 1024;

// An empty variable counts as unset: compose files and manifests pass `NAME=` for "not given".
std::string const* given(environment const& env, std::string const& name) {
    auto const found = env.find(name);
    return found == env.end() || found->second.empty() ? nullptr : &found->second;
}

// Reads a mounted secret without a stdio buffer, so no copy stays behind. Trailing line ends are not part of the secret.
std::optional<std::string> read_file(std::string const& path, std::string& fault) {
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        fault = fmt::format("names a file that cannot be read (errno {})", errno);
        return std::nullopt;
    }
    std::string content(file_bytes_max + 1, '\0');
    std::size_t size = 0;
    for (;;) {
        auto const got = ::read(fd, content.data() + size, content.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fault = fmt::format("names a file that cannot be read (errno {})", errno);
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
        if (size == content.size()) {
            fault = fmt::format("names a file of more than {} bytes", file_bytes_max);
            break;
        }
    }
    ::close(fd);
    while (size > 0 && (content[size - 1] == '\n' || content[size - 1] == '\r')) --size;
    wipe(content.data() + size, content.size() - size);
    content.resize(size);
    if (fault.empty() && content.empty()) fault = "names an empty file";
    if (!fault.empty()) {
        wipe(content.data(), content.size());
        return std::nullopt;
    }
    return content;
}

class fault_list {
public:
    void add(std::string_view name, std::string_view what) {
        if (!text_.empty()) text_ += '\n';
        text_ += fmt::format("{}: {}", name, what);
        names_.emplace(name);
    }
    bool names(std::string_view name) const { return names_.contains(name); }
    std::string const& text() const { return text_; }

private:
    std::string text_;
    std::set<std::string, std::less<>> names_;
};

void load_secret(setting const& s, environment const& env, fault_list& faults) {
    std::string const file_name = s.name + "_FILE";
    std::string const* const value = given(env, s.name);
    std::string const* const path = given(env, file_name);
    if (value && path) return faults.add(s.name, fmt::format("is given twice, here and by {}; give one", file_name));
    if (!value && !path) {
        if (s.required)
            faults.add(s.name, fmt::format("is required (or {} with the path of a file that holds it): {}", file_name, s.meaning));
        return;
    }
    if (value) {
        if (std::string const fault = s.assign(*value); !fault.empty()) faults.add(s.name, fault);
        return;
    }
    std::string fault;
    std::optional<std::string> content = read_file(*path, fault);
    if (content) {
        fault = s.assign(*content);
        wipe(content->data(), content->size());
    }
    if (!fault.empty()) faults.add(file_name, fault);
}

void load_plain(setting const& s, environment const& env, fault_list& faults) {
    std::string const* const value = given(env, s.name);
    if (!value && s.required) return faults.add(s.name, fmt::format("is required: {}", s.meaning));
    // An empty default means "not given"; the target keeps its own empty value.
    std::string const& effective = value ? *value : s.fallback;
    if (!value && effective.empty()) return;
    if (std::string const fault = s.assign(effective); !fault.empty()) faults.add(s.name, fault);
}

// Names this process may see: its own, each secret's _FILE, and those of its neighbours.
std::set<std::string, std::less<>> known_names(table const& settings, std::vector<std::string> const& also_known) {
    std::set<std::string, std::less<>> known;
    for (auto const& s : settings.settings()) {
        known.insert(s.name);
        if (s.is_secret) known.insert(s.name + "_FILE");
    }
    for (auto const& name : also_known) {
        known.insert(name);
        known.insert(name + "_FILE");
    }
    return known;
}

// The closest known name, when it is close enough to be a typing error.
std::string_view nearest(std::string_view name, std::set<std::string, std::less<>> const& known) {
    constexpr std::string_view file_suffix = "_FILE";  // given for a setting that is no secret
    if (name.ends_with(file_suffix)) {
        auto const base = known.find(name.substr(0, name.size() - file_suffix.size()));
        if (base != known.end()) return *base;
    }
    std::string_view best;
    std::size_t least = std::max<std::size_t>(2, (name.size() - prefix.size()) / 3) + 1;
    for (auto const& candidate : known) {
        std::size_t const distance = edit_distance(name, candidate);
        if (distance < least) {
            least = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace

environment process_environment() {
    environment env;
    for (char** entry = ::environ; entry && *entry; ++entry) {
        std::string_view const line = *entry;
        auto const equals = line.find('=');
        if (equals != std::string_view::npos) env.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
    return env;
}

result<void> load(table const& settings, environment const& env, std::vector<std::string> const& also_known) {
    fault_list faults;
    for (auto const& s : settings.settings()) {
        if (s.is_secret) load_secret(s, env, faults);
        else load_plain(s, env, faults);
    }
    for (auto const& rule : settings.rules()) {
        if (faults.names(rule.name)) continue;  // already at fault by itself
        if (std::string const fault = rule.check(); !fault.empty()) faults.add(rule.name, fault);
    }
    auto const known = known_names(settings, also_known);
    for (auto const& [name, value] : env) {
        if (!name.starts_with(prefix) || name.starts_with(test_prefix) || known.contains(name)) continue;
        std::string_view const near = nearest(name, known);
        faults.add(name, near.empty() ? std::string("is not a setting") : fmt::format("is not a setting; did you mean {}?", near));
    }
    if (!faults.text().empty()) return fail(errc::malformed, faults.text());
    return {};
}

}  // namespace calbridge::config
