#pragma once
// Internal to this folder: the task decoder with its size limit open, because a stored snapshot may be spelled longer than it arrived.

#include "wire/topics.h"

namespace calbridge::wire {

result<domain::task_changed> decode_task(std::string_view value, encoding as, std::size_t bytes_max);

}  // namespace calbridge::wire
