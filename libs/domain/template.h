#pragma once
// Text templates, there and back. render_title() for titles stands in render.h.

#include "domain/topics.h"

#include <optional>
#include <string>
#include <string_view>

namespace calbridge::domain {

// A template of several lines: "{title}", "{description}", "{notes}", "{customer}", "{type}", "{contact}", "{deal}", "{priority}",
// "{status}", "{location}", "{video_link}"; braces and unknown names as in render_title(). Values keep their lines. A line whose values are
// all empty is left out, words and all, and blank lines that would meet there are one; beside a value that stays, separators around an
// empty one collapse. The result is canonical text.
std::string render_text(std::string_view pattern, task_changed const& task);

// The CRM's own title or description in what a person made of the rendered text: the middle, when `placeholder` ("title" of a title
// template, "description" of a text template) stands in the pattern exactly once and what is around it is still as `task` renders it.
// Nothing otherwise, and nothing for a title that would be empty.
std::optional<std::string> unrender(std::string_view pattern, std::string_view placeholder, task_changed const& task,
                                    std::string_view text);

// "✓ " before the title of a completed task. Each does nothing the second time; without_tick takes every tick at the start away.
std::string with_tick(std::string_view title);
std::string without_tick(std::string_view title);

}  // namespace calbridge::domain
