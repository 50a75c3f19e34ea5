// A conversation as the text a model sees, and where its answers lie in that text.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "frugal/data/chat_records.h"
#include "frugal/formats/tokenizer.h"

namespace frugal {

// Bytes [begin, end) of the text: what the model writes when it is asked for this answer, that is, everything from the
// end of the generation prompt to the end-of-turn token or, where the template has none, to the end of the turn.
struct AnswerSpan {
  std::size_t begin = 0, end = 0;
  bool has_end_token = false;
};

struct RenderedChat {
  std::string text;
  std::vector<AnswerSpan> answers;  // one an assistant message, in order, apart
};

class ChatRenderer {
 public:
  // chat_template: empty takes plain_chat_template. Error(Exit::input): it is empty and the tokenizer has no eos.
  ChatRenderer(std::string chat_template, const Tokenizer& tokenizer);

  std::string render(std::span<const Message> messages, bool add_generation_prompt) const;
  // Error(Exit::input): a message refused by the template; an assistant message without text; the text before an answer
  // is not how generation begins, or the answer does not end alike when the conversation stops after it and when it
  // goes on.
  RenderedChat render(std::span<const Message> messages) const;

 private:
  AnswerSpan find_answer(std::span<const Message> messages, std::size_t index, const std::string& text) const;
  std::size_t end_token_at(std::string_view closing) const;
  std::string template_, bos_, eos_;
  std::vector<std::string> end_tokens_;  // added tokens that are not white space, longest first
};

// For models without a template: "User: ...\nAssistant: ...<eos>\n"; the system message stands first and alone.
std::string plain_chat_template(const Tokenizer& tokenizer);

}  // namespace frugal
