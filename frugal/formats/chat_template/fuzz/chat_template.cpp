// Any bytes as a chat template: rendered, or refused with an Error.
#include <cstddef>
#include <cstdint>

#include "frugal/base/error.h"
#include "frugal/formats/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace frugal;
  static const Json variables = {
      {"messages", {{{"role", "system"}, {"content", " S "}}, {{"role", "user"}, {"content", "a\xff"}}}},
      {"tools", {{{"name", "f"}, {"n", {1, 2.5, nullptr}}}}},
      {"add_generation_prompt", true},
      {"bos_token", "<s>"}};
  try {
    render_chat_template(std::string_view(reinterpret_cast<const char*>(data), size), variables);
  } catch (const Error&) {
  }
  return 0;
}
