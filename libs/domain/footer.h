#pragma once
// The footer calbridge writes under a description, and the exact way back.

#include <string>
#include <string_view>

namespace calbridge::domain {

struct split_description {
    std::string text;
    std::string footer;  // empty when there is no marker
};

// text + marker line + footer. The marker is a line no person types; a text that happens to hold it is escaped so that
// split(join(t, f)) == {t, f} for every normalised t and f.
std::string join_description(std::string_view text, std::string_view footer);
// Understands what Google's editor does to it: HTML line breaks, entities, trailing blanks around the marker.
split_description split(std::string_view description);

}  // namespace calbridge::domain
