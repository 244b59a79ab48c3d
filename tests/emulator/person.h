#pragma once
// A person's edits as the web page makes them: of one occurrence, of this and what follows, of all.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

reply edit_as_person(core& c, person_edit const& edit);

}  // namespace calbridge::emulator
