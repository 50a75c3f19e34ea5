#include "frugal/formats/chat_template.h"

#include "frugal/base/error.h"
#include "frugal/formats/chat_template/interpreter.h"

namespace frugal {

std::string render_chat_template(std::string_view source, const Json& variables) {
  using namespace chat_template;
  if (source.size() > kMaxText) {
    throw Error(Exit::input,
                "the chat template has " + std::to_string(source.size()) + " bytes, at most " +
                    std::to_string(kMaxText) + " are allowed",
                "use the model's own chat template");
  }
  if (!variables.is_object())
    throw Error(Exit::input, "the variables of a chat template are not an object", "give {\"messages\": [...]}");
  const Block block = parse(source);
  Context context;
  return render(block, variables, context);
}

}  // namespace frugal
