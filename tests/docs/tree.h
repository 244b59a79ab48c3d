#pragma once
// The source tree as text, for tests that compare pages with it. Tests run in the project's root folder.

#include <regex>
#include <string>
#include <vector>

namespace calbridge::docs {

// Every file but what is built or fetched, by its path from the root.
std::vector<std::string> const& files();
std::string text_of(std::string const& file);
// The first group of every match.
std::vector<std::string> found(std::regex const& what, std::string const& text);

}  // namespace calbridge::docs
