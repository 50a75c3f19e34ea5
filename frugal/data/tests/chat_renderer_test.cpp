#include "frugal/data/chat_renderer.h"

#include <gtest/gtest.h>

#include "small_tokenizer.h"

namespace frugal {
namespace {

TEST(ChatRenderer, AnEndTokenIsTakenThoughTheTextEndsInAnotherWay) {
  const Tokenizer tokenizer = small_tokenizer();
  // Closes the whole text by a token of its own when it stops, as some templates do.
  const std::string source =
      "{% for m in messages %}{{ m.role + ':' + m.content + ' <|im_end|>\n' }}{% endfor %}"
      "{% if add_generation_prompt %}assistant:{% else %}<|endoftext|>{% endif %}";
  const ChatRenderer renderer(source, tokenizer);
  const std::vector<Message> messages{{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}};
  const RenderedChat chat = renderer.render(messages);
  ASSERT_EQ(chat.answers.size(), 2u);
  EXPECT_EQ(chat.text.substr(chat.answers[0].begin, chat.answers[0].end - chat.answers[0].begin), "b <|im_end|>");
  EXPECT_EQ(chat.text.substr(chat.answers[1].begin, chat.answers[1].end - chat.answers[1].begin), "d <|im_end|>");
  // One that leaves the thoughts of earlier answers out, and opens the last one with some.
  const std::string thinking =
      "{% for m in messages %}{{ m.role + ':' }}{% if loop.last and m.role == 'assistant' %}{{ '<think>' }}{% endif %}"
      "{{ m.content.split('</t>')[-1] + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
  const RenderedChat thought =
      ChatRenderer(thinking, tokenizer)
          .render(std::vector<Message>{{"user", "a"}, {"assistant", "x</t>b"}, {"user", "c"}, {"assistant", "d"}});
  EXPECT_EQ(thought.text.substr(thought.answers[0].begin, thought.answers[0].end - thought.answers[0].begin),
            "b<|im_end|>");
  EXPECT_EQ(thought.text.substr(thought.answers[1].begin, thought.answers[1].end - thought.answers[1].begin),
            "<think>d<|im_end|>");
}

}  // namespace
}  // namespace frugal
