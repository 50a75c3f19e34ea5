#include "frugal/data/chat_renderer.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/formats/chat_template.h"

namespace frugal {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

bool is_space(std::string_view text) { return text.find_first_not_of(kSpace) == std::string_view::npos; }

std::string message_name(std::size_t index) { return "message " + std::to_string(index + 1); }

Json to_json(std::span<const Message> messages) {
  Json list = Json::array();
  for (const auto& message : messages) list.push_back({{"role", message.role}, {"content", message.content}});
  return list;
}

// Where a message's content is in `text`: what differs from `other`, the same conversation with other_content in its
// place.
struct ContentSpan {
  std::size_t begin = 0, end = 0;
};

ContentSpan difference(const std::string& text, const std::string& other) {
  const std::size_t both = std::min(text.size(), other.size());
  std::size_t begin = 0, tail = 0;
  while (begin < both && text[begin] == other[begin]) ++begin;
  while (tail < both - begin && text[text.size() - 1 - tail] == other[other.size() - 1 - tail]) ++tail;
  return {begin, text.size() - tail};
}

// A character that the content lacks, so that first and last byte differ, and that no template trims.
std::string other_content(const std::string& content, std::size_t index) {
  for (const char c :
       {'\x01', '\x02', '\x03', '\x04', '\x05', '\x06', '\x07', '\x0e', '\x0f', '\x10', '\x11', '\x12'}) {
    if (content.find(c) == std::string::npos) return std::string(1, c);
  }
  throw Error(Exit::input, message_name(index) + " is not text: it holds all of 12 control characters",
              "take them out of it");
}

}  // namespace

std::string plain_chat_template(const Tokenizer& tokenizer) {
  return std::string(tokenizer.model().add_bos ? "{{ bos_token }}" : "") +
         R"({% for message in messages %})"
         R"({% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }})"
         R"({% elif message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\n' }})"
         R"({% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token + '\n' }})"
         R"({% else %}{{ 'Tool: ' + message['content'] + '\n' }}{% endif %}{% endfor %})"
         R"({% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %})";
}

ChatRenderer::ChatRenderer(std::string chat_template, const Tokenizer& tokenizer)
    : template_(std::move(chat_template)) {
  const TokenizerModel& model = tokenizer.model();
  const auto text_of = [&](std::int32_t id) {
    return id < 0 ? std::string() : model.tokens[static_cast<std::size_t>(id)];
  };
  bos_ = text_of(model.bos);
  eos_ = text_of(model.eos);
  if (template_.empty()) {
    if (eos_.empty()) {
      throw Error(Exit::input, "the model has neither a chat template nor an end-of-text token, so no answer would end",
                  "use a model with a chat template, or set eos_token in its tokenizer_config.json");
    }
    template_ = plain_chat_template(tokenizer);
  }
  for (const auto& added : model.added) {
    if (!is_space(added.text)) end_tokens_.push_back(added.text);
  }
  std::stable_sort(end_tokens_.begin(), end_tokens_.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string ChatRenderer::render(std::span<const Message> messages, bool add_generation_prompt) const {
  return render_chat_template(template_, {{"messages", to_json(messages)},
                                          {"add_generation_prompt", add_generation_prompt},
                                          {"bos_token", bos_},
                                          {"eos_token", eos_}});
}

// Bytes up to and with the added token that `closing` begins with, white space before it included; 0: none.
std::size_t ChatRenderer::end_token_at(std::string_view closing) const {
  const std::size_t begin = closing.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return 0;
  for (const auto& token : end_tokens_) {
    if (closing.substr(begin).starts_with(token)) return begin + token.size();
  }
  return 0;
}

// Three texts beside the whole one: the generation prompt, where the answer begins; the conversation that stops after
// the answer, to tell what closes the answer from what opens the next turn; and each of the two with another answer,
// where the difference is the answer itself. Looking for the content in the text instead would go wrong for answers
// like "user" or "|", and for templates that trim or rewrite it.
AnswerSpan ChatRenderer::find_answer(std::span<const Message> messages, std::size_t index,
                                     const std::string& text) const {
  const Message& message = messages[index];
  if (is_space(message.content))
    throw Error(Exit::input, message_name(index) + " is an answer without text", "leave the record out");
  const std::string prompt = render(messages.first(index), true);
  std::vector<Message> changed(messages.begin(), messages.end());
  changed[index].content = other_content(message.content, index);
  const ContentSpan content = difference(text, render(changed, false));
  if (!text.starts_with(prompt) || content.begin < prompt.size() || content.begin >= content.end) {
    throw Error(Exit::input,
                "the chat template does not render the text before " + message_name(index) + " as generation begins it",
                "begin with a system or user message and end each request with an answer, or use the prompt format");
  }
  const std::string_view closing = std::string_view(text).substr(content.end);
  std::string stopped = text;
  std::string_view stopped_closing = closing;
  if (index + 1 < messages.size()) {
    stopped = render(messages.first(index + 1), false);
    changed.resize(index + 1);
    stopped_closing = std::string_view(stopped).substr(difference(stopped, render(changed, false)).end);
  }
  const std::size_t token_end = end_token_at(stopped_closing);
  const std::string_view ending = stopped_closing.substr(0, token_end > 0 ? token_end : stopped_closing.size());
  if (!closing.starts_with(ending)) {
    throw Error(Exit::input, "the chat template ends " + message_name(index) + " in another way when a message follows",
                "split the record into conversations of one answer each");
  }
  return {prompt.size(), content.end + ending.size(), token_end > 0};
}

RenderedChat ChatRenderer::render(std::span<const Message> messages) const {
  RenderedChat chat{render(messages, false), {}};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role != "assistant") continue;
    const AnswerSpan span = find_answer(messages, i, chat.text);
    if (!chat.answers.empty() && span.begin < chat.answers.back().end)
      throw Error(Exit::input, "the chat template renders " + message_name(i) + " inside the answer before it",
                  "join answers that follow each other");
    chat.answers.push_back(span);
  }
  return chat;
}

}  // namespace frugal
