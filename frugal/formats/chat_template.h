// Chat templates: the part of Jinja that models' templates use, without loops that could run away or access to
// anything.
#pragma once
#include <string>
#include <string_view>

#include "frugal/base/json.h"

namespace frugal {

// Renders `source` as transformers' apply_chat_template does (trim_blocks, lstrip_blocks; loop, namespace, macros,
// filters and tests of the bounded subset). variables: "messages" (array of {role, content}), "add_generation_prompt",
// "bos_token", "eos_token", ... Error(Exit::input) with line number for a construct outside the subset (named),
// raise_exception(), or over 1 MiB of output.
std::string render_chat_template(std::string_view source, const Json& variables);

}  // namespace frugal
