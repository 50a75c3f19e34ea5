#include "frugal/verbs/common/kept_vocabulary.h"

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/data/chat_renderer.h"

namespace frugal {
namespace {

// Turns without their messages: the words a template writes were tokens when the model learnt them, and must be again.
std::vector<std::string> frames(const ModelSource& model, const Tokenizer& tokenizer) {
  std::vector<std::string> found;
  if (model.chat_template().empty()) return found;
  const ChatRenderer renderer(model.chat_template(), tokenizer);
  const Message system{"system", ""}, user{"user", ""}, assistant{"assistant", ""};
  for (const std::vector<Message>& turns : {std::vector{system, user, assistant, user}, {user, assistant, user}}) {
    try {
      found.push_back(renderer.render(turns, true));
    } catch (const Error&) {  // a template may refuse a system message
    }
  }
  return found;
}

}  // namespace

SmallerVocabulary kept_vocabulary(const ModelSource& model, const std::string& path) {
  const auto tokenizer = model.tokenizer();
  std::vector<std::string> texts = frames(model, *tokenizer);
  texts.push_back(read_file(path));
  std::vector<std::int32_t> ids;
  const auto add = [&](const Json& id) {
    if (id.is_number_integer()) ids.push_back(id.get<std::int32_t>());
  };
  const Json generation = model.generation_config();
  for (const auto& [key, value] : generation.items()) {
    if (!key.ends_with("_token_id")) continue;
    if (!value.is_array())
      add(value);
    else
      for (const Json& id : value) add(id);
  }
  return smaller_vocabulary(*tokenizer, texts, ids);
}

}  // namespace frugal
