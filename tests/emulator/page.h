#pragma once

#include <string_view>

namespace calbridge::emulator {

// The one-file page served at "/", made from page.html at build time.
std::string_view page_html();

}  // namespace calbridge::emulator
