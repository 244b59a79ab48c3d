#include "wire/told.h"

#include "common/json/json.h"
#include "wire/stored.h"

namespace calbridge::wire {

std::string store_told(std::vector<domain::told> const& all) {
    std::string out = "[";
    for (domain::told const& each : all) {
        if (out.size() > 1) out += ',';
        json::array changed;
        for (std::string const& name : each.changed.names()) changed.emplace_back(name);
        out += "{\"seq\":" + std::to_string(each.sequence) + ",\"changed\":" + json::serialize(json::value(std::move(changed))) +
               ",\"fields\":" + store_fields(each.values) + "}";
    }
    return out + "]";
}

result<std::vector<domain::told>> load_told(std::string_view text) {
    auto parsed = json::parse(text, "told", {.bytes_max = 16u << 20}, true);
    if (!parsed) return parsed.error();
    if (!parsed->is_array()) return fail(errc::malformed, "told: not an array");
    std::vector<domain::told> all;
    for (json::value const& item : parsed->get_array()) {
        if (!item.is_object()) return fail(errc::malformed, "told: an entry is not an object");
        json::object const& o = item.get_object();
        domain::told each;
        each.sequence = json::integer_or(o, "seq");
        if (auto const* changed = json::array_at(o, "changed"))
            for (json::value const& n : *changed)
                if (n.is_string())
                    if (auto f = domain::field_named(std::string_view(n.get_string().data(), n.get_string().size()))) each.changed.add(*f);
        if (auto const* values = json::object_at(o, "fields")) {
            auto fields = load_fields(json::serialize(json::value(*values)));
            if (!fields) return fields.error();
            each.values = std::move(*fields);
        }
        all.push_back(std::move(each));
    }
    return all;
}

}  // namespace calbridge::wire
