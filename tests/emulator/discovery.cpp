#include "tests/emulator/discovery.h"

#include "common/base/encoding.h"
#include "tests/emulator/times.h"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace calbridge::emulator {

namespace {

json_kind kind_of(std::string_view type) {
    if (type == "string") return json_kind::text;
    if (type == "integer") return json_kind::integer;
    if (type == "number") return json_kind::number;
    if (type == "boolean") return json_kind::boolean;
    if (type == "object") return json_kind::object;
    if (type == "array") return json_kind::array;
    return json_kind::any;
}

std::string_view name_of(json_kind kind) {
    switch (kind) {
    case json_kind::any: return "any";
    case json_kind::text: return "string";
    case json_kind::integer: return "integer";
    case json_kind::number: return "number";
    case json_kind::boolean: return "boolean";
    case json_kind::object: return "object";
    case json_kind::array: return "array";
    }
    return "any";
}

std::string text_of(bj::object const& o, std::string_view name) { return std::string(text_at(o, name)); }

}  // namespace

// Turns one document into schemas and methods; references may point forward, so named schemas exist before they are filled.
class document_reader {
public:
    document_reader(discovery& into, bj::object const& document) : into_(into), document_(document) {}

    void read() {
        if (auto const* all = object_at(document_, "schemas")) {
            for (auto const& [name, _] : *all) named_[std::string(name)] = &into_.schemas_->emplace_back();
            for (auto const& [name, value] : *all)
                if (value.is_object()) fill(*named_[std::string(name)], value.get_object());
        }
        if (auto const* common = object_at(document_, "parameters"))
            for (auto const& [name, value] : *common) into_.common_[std::string(name)] = read_parameter(value.get_object());
        read_resource(document_);
    }

private:
    schema const* read_schema(bj::object const& o) {
        if (auto const ref = text_of(o, "$ref"); !ref.empty()) {
            auto const it = named_.find(ref);
            return it != named_.end() ? it->second : nullptr;
        }
        auto& s = into_.schemas_->emplace_back();
        fill(s, o);
        return &s;
    }

    void fill(schema& s, bj::object const& o) {
        s.kind = kind_of(text_at(o, "type"));
        s.format = text_of(o, "format");
        auto const about = text_at(o, "description");
        bool const marked = about.find("Read-only") != std::string_view::npos || flag_at(o, "readOnly");
        s.read_only_but_import = marked && about.find("except when importing") != std::string_view::npos;
        s.read_only = marked && !s.read_only_but_import;
        if (auto const* members = object_at(o, "properties")) {
            for (auto const& [name, value] : *members) {
                auto const& member = value.get_object();
                auto const* inner = read_schema(member);
                // A reference cannot carry the mark itself, so the member gets its own copy of the schema when it is read-only.
                if (inner != nullptr && member.contains("$ref") &&
                    text_at(member, "description").find("Read-only") != std::string_view::npos) {
                    auto& copy = into_.schemas_->emplace_back(*inner);
                    copy.read_only = true;
                    inner = &copy;
                }
                s.properties.emplace(std::string(name), inner);
            }
        }
        if (auto const* extra = object_at(o, "additionalProperties")) s.others = read_schema(*extra);
        if (auto const* items = object_at(o, "items")) s.items = read_schema(*items);
    }

    static parameter read_parameter(bj::object const& o) {
        parameter p;
        p.kind = kind_of(text_at(o, "type"));
        p.format = text_of(o, "format");
        p.required = flag_at(o, "required");
        p.repeated = flag_at(o, "repeated");
        p.in_path = text_at(o, "location") == "path";
        p.least = to_integer(text_at(o, "minimum"));
        p.most = to_integer(text_at(o, "maximum"));
        if (auto const* names = array_at(o, "enum"))
            for (auto const& n : *names) p.allowed.emplace_back(n.as_string());
        return p;
    }

    void read_resource(bj::object const& o) {
        if (auto const* methods = object_at(o, "methods")) {
            for (auto const& [_, value] : *methods) {
                auto const& m = value.get_object();
                api_method method;
                method.id = text_of(m, "id");
                method.http_method = text_of(m, "httpMethod");
                std::string const whole = "/" + text_of(document_, "servicePath") + text_of(m, "path");
                for (auto part : split(std::string_view(whole).substr(1), '/')) method.segments.emplace_back(part);
                if (auto const* ps = object_at(m, "parameters"))
                    for (auto const& [name, p] : *ps) method.parameters[std::string(name)] = read_parameter(p.get_object());
                if (auto const* scopes = array_at(m, "scopes"))
                    for (auto const& s : *scopes) method.scopes.emplace_back(s.as_string());
                if (auto const* body = object_at(m, "request")) method.body = read_schema(*body);
                if (auto const* result = object_at(m, "response")) method.result = read_schema(*result);
                into_.methods_->push_back(std::move(method));
            }
        }
        if (auto const* resources = object_at(o, "resources"))
            for (auto const& [_, value] : *resources) read_resource(value.get_object());
    }

    discovery& into_;
    bj::object const& document_;
    std::map<std::string, schema*, std::less<>> named_;
};

result<discovery> discovery::load(std::string const& directory) {
    discovery out;
    for (std::string const name : {"calendar.v3.json", "oauth2.v2.json"}) {
        std::ifstream file(directory + "/" + name, std::ios::binary);
        if (!file) return fail(errc::not_found, "discovery document " + directory + "/" + name + " (run ./dev setup)");
        std::ostringstream text;
        text << file.rdbuf();
        boost::system::error_code ec;
        auto const document = bj::parse(text.str(), ec);
        if (ec || !document.is_object()) return fail(errc::malformed, "discovery document " + name);
        document_reader(out, document.get_object()).read();
    }
    return out;
}

discovery::found discovery::find(std::string_view http_method, std::string_view path) const {
    found best;
    if (path.empty() || path.front() != '/') return best;
    auto const parts = split(path.substr(1), '/');
    std::size_t best_literals = 0;
    for (auto const& m : *methods_) {
        if (m.segments.size() != parts.size()) continue;
        std::size_t literals = 0;
        bool fits = true;
        for (std::size_t i = 0; fits && i < parts.size(); ++i) {
            if (m.segments[i].starts_with('{')) fits = !parts[i].empty();
            else if (m.segments[i] == parts[i]) ++literals;
            else fits = false;
        }
        if (!fits) continue;
        best.path_known = true;
        if (m.http_method != http_method || (best.method != nullptr && literals <= best_literals)) continue;
        best.method = &m;
        best_literals = literals;
    }
    if (best.method == nullptr) return best;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        auto const& s = best.method->segments[i];
        if (!s.starts_with('{')) continue;
        auto decoded = percent_decode(parts[i]);
        best.path.emplace_back(s.substr(1, s.size() - 2), decoded ? std::move(*decoded) : std::string(parts[i]));
    }
    return best;
}

namespace {

std::string check_text(parameter const& p, std::string const& name, std::string const& value) {
    switch (p.kind) {
    case json_kind::integer: {
        auto const n = to_integer(value);
        if (!n) return "parameter " + name + " is no integer";
        if ((p.least && *n < *p.least) || (p.most && *n > *p.most)) return "parameter " + name + " is out of its bounds";
        break;
    }
    case json_kind::boolean:
        if (value != "true" && value != "false") return "parameter " + name + " is no boolean";
        break;
    default: break;
    }
    if (p.format == "date-time" && !parse_with_offset(value)) return "parameter " + name + " is no RFC 3339 time with an offset";
    if (!p.allowed.empty() && std::ranges::find(p.allowed, value) == p.allowed.end())
        return "parameter " + name + " has a value that does not exist";
    return {};
}

bool fits_int32(std::int64_t n) { return n >= INT32_MIN && n <= INT32_MAX; }

struct body_check {
    std::string_view method_id;
    bool is_request;
    std::vector<std::string>& faults;

    // Google ignores read-only members in a full replacement, so that what was read can be sent back.
    bool refuses_read_only(schema const& s) const {
        if (!is_request || method_id.ends_with(".update") || method_id.ends_with(".stop") || method_id.ends_with(".watch")) return false;
        return s.read_only || (s.read_only_but_import && !method_id.ends_with(".import"));
    }

    void check(schema const* s, bj::value const& v, std::string const& at, bool top) const {
        if (s == nullptr || s->kind == json_kind::any || v.is_null()) return;
        auto const wrong = [&] { faults.push_back("field " + at + " is no " + std::string(name_of(s->kind))); };
        switch (s->kind) {
        case json_kind::text:
            if (s->format == "int64" && v.is_int64()) return;
            if (!v.is_string()) return wrong();
            check_format(*s, std::string_view(v.get_string()), at);
            return;
        case json_kind::integer:
            if (!v.is_int64() || !fits_int32(v.get_int64())) wrong();
            return;
        case json_kind::number:
            if (!v.is_number()) wrong();
            return;
        case json_kind::boolean:
            if (!v.is_bool()) wrong();
            return;
        case json_kind::array:
            if (!v.is_array()) return wrong();
            for (auto const& item : v.get_array()) {
                if (item.is_null()) faults.push_back("field " + at + " holds a null");
                check(s->items, item, at + "[]", false);
            }
            return;
        case json_kind::object:
            if (!v.is_object()) return wrong();
            for (auto const& [key, member] : v.get_object()) {
                std::string const name(key);
                std::string const where = at.empty() ? name : at + "." + name;
                auto const it = s->properties.find(name);
                if (it == s->properties.end() && s->others == nullptr) {
                    faults.push_back("field " + where + " does not exist");
                    continue;
                }
                auto const* inner = it == s->properties.end() ? s->others : it->second;
                if (top && inner != nullptr && refuses_read_only(*inner)) faults.push_back("field " + where + " is read-only");
                check(inner, member, where, false);
            }
            return;
        case json_kind::any: return;
        }
    }

    void check_format(schema const& s, std::string_view text, std::string const& at) const {
        if (s.format == "int64" && !to_integer(text)) faults.push_back("field " + at + " is no 64-bit integer");
        // An event's own times are judged by the calendar, which answers with Google's own errors.
        if (is_request) return;
        if (s.format == "date-time" && !parse_with_offset(text)) faults.push_back("field " + at + " is no RFC 3339 time");
        if (s.format == "date" && !parse_date(text)) faults.push_back("field " + at + " is no date");
    }
};

}  // namespace

std::vector<std::string> discovery::check_query(api_method const& method, params const& query) const {
    std::vector<std::string> faults;
    std::map<std::string_view, int> seen;
    for (auto const& [name, value] : query) {
        auto it = method.parameters.find(name);
        if (it == method.parameters.end() || it->second.in_path) {
            it = common_.find(name);
            if (it == common_.end()) {
                faults.push_back("parameter " + name + " does not exist");
                continue;
            }
        }
        if (++seen[name] > 1 && !it->second.repeated) faults.push_back("parameter " + name + " is repeated");
        if (name == "quotaUser" && value.size() > 40) faults.push_back("parameter quotaUser is longer than 40 characters");
        if (auto fault = check_text(it->second, name, value); !fault.empty()) faults.push_back(std::move(fault));
    }
    for (auto const& [name, p] : method.parameters)
        if (p.required && !p.in_path && !seen.contains(name)) faults.push_back("parameter " + name + " is required");
    return faults;
}

std::vector<std::string> discovery::check_body(api_method const& method, bj::value const& body) const {
    std::vector<std::string> faults;
    body_check{method.id, true, faults}.check(method.body, body, "", true);
    return faults;
}

std::vector<std::string> discovery::check_answer(api_method const& method, bj::value const& body) const {
    std::vector<std::string> faults;
    body_check{method.id, false, faults}.check(method.result, body, "", true);
    return faults;
}

std::optional<field_selector> field_selector::parse(std::string_view text) {
    struct reader {
        std::string_view rest;
        bool list(field_selector& into, int depth) {
            if (depth > 16) return false;
            for (;;) {
                if (!path(into, depth)) return false;
                if (rest.empty() || rest.front() == ')') return true;
                if (rest.front() != ',') return false;
                rest.remove_prefix(1);
            }
        }
        bool path(field_selector& into, int depth) {
            auto* at = &into;
            for (;;) {
                std::size_t n = 0;
                while (n < rest.size() &&
                       (std::isalnum(static_cast<unsigned char>(rest[n])) != 0 || rest[n] == '_' || rest[n] == '-' || rest[n] == '*'))
                    ++n;
                if (n == 0) return false;
                at = &at->members_[std::string(rest.substr(0, n))];
                rest.remove_prefix(n);
                if (rest.empty() || rest.front() == ',' || rest.front() == ')') return true;
                if (rest.front() == '(') {
                    rest.remove_prefix(1);
                    if (!list(*at, depth + 1) || rest.empty()) return false;
                    rest.remove_prefix(1);
                    return true;
                }
                if (rest.front() != '/') return false;
                rest.remove_prefix(1);
            }
        }
    };
    field_selector out;
    reader r{text};
    if (!r.list(out, 0) || !r.rest.empty()) return std::nullopt;
    return out;
}

std::string field_selector::unknown_field(schema const* shape) const {
    if (shape == nullptr || shape->kind == json_kind::any) return {};
    if (shape->kind == json_kind::array) return unknown_field(shape->items);
    for (auto const& [name, inner] : members_) {
        if (name == "*") continue;
        auto const it = shape->properties.find(name);
        if (it == shape->properties.end()) {
            if (shape->others != nullptr) continue;
            return name;
        }
        if (auto deeper = inner.unknown_field(it->second); !deeper.empty()) return name + "/" + deeper;
    }
    return {};
}

bj::value field_selector::apply(bj::value const& whole) const {
    if (members_.empty()) return whole;
    if (auto const* a = whole.if_array()) {
        bj::array out;
        out.reserve(a->size());
        for (auto const& item : *a) out.push_back(apply(item));
        return out;
    }
    auto const* o = whole.if_object();
    if (o == nullptr) return whole;
    bj::object out;
    auto const every = members_.find("*");
    for (auto const& [key, value] : *o) {
        auto it = members_.find(std::string_view(key.data(), key.size()));
        if (it == members_.end()) it = every;
        if (it != members_.end()) out[key] = it->second.apply(value);
    }
    return out;
}

}  // namespace calbridge::emulator
