// frugal chat: a conversation through the model's chat template.
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/formats/chat_template.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/verbs/chat/config.h"
#include "frugal/verbs/torch/generation.h"

namespace frugal {
namespace {

std::string special_text(const Session& session, std::int32_t id) {
  return id < 0 ? std::string() : session.tokenizer->model().tokens[static_cast<std::size_t>(id)];
}

std::string render(const Session& session, const std::string& chat_template, const Json& messages) {
  const TokenizerModel& model = session.tokenizer->model();
  return render_chat_template(chat_template, {{"messages", messages},
                                              {"add_generation_prompt", true},
                                              {"bos_token", special_text(session, model.bos)},
                                              {"eos_token", special_text(session, model.eos)}});
}

std::string require_template(const Session& session) {
  std::string text = session.source->chat_template();
  if (text.empty()) {
    throw Error(Exit::input, session.source->path().string() + " has no chat template",
                "use frugal generate, or a model tuned for chat");
  }
  return text;
}

int run_chat(const ChatConfig& config) {
  Session session({config.model, config.compute, {}, 0});
  throw_if_interrupted();
  const std::string chat_template = require_template(session);
  const bool json = config.output.json;
  GenerationOptions options = generation_options(config.sampling, session);
  Json messages = Json::array();
  if (!config.system.empty()) messages.push_back({{"role", "system"}, {"content", config.system}});
  KvCache cache(session.store.shape(), session.store.shape().context, session.decoder.compute());
  std::vector<std::int32_t> held;  // what the cache holds
  BudgetGuard guard({}, "");
  say("type a message; an empty line, Ctrl-D or Ctrl-C ends the chat, Ctrl-C in an answer ends the answer");
  const bool is_typed = ::isatty(STDIN_FILENO) == 1 && is_terminal() && !json;
  for (std::string line;;) {
    if (is_typed) std::fputs("> ", stderr);
    reset_interrupt();
    interrupt_waiting_reads(true);
    const bool is_read = static_cast<bool>(std::getline(std::cin, line));
    interrupt_waiting_reads(false);
    throw_if_interrupted();
    if (!is_read) break;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) break;
    messages.push_back({{"role", "user"}, {"content", line}});
    const auto ids = session.tokenizer->encode(render(session, chat_template, messages), true);
    if (static_cast<std::int64_t>(ids.size()) > cache.capacity()) {
      throw Error(Exit::input,
                  "the conversation has " + std::to_string(ids.size()) + " tokens, but the model's context is " +
                      std::to_string(cache.capacity()),
                  "begin a new chat, or write shorter messages");
    }
    // Only what differs from the tokens already seen runs again; at least one token must, to have logits.
    std::size_t same = 0;
    while (same < held.size() && same + 1 < ids.size() && held[same] == ids[same]) ++same;
    cache.length = static_cast<std::int64_t>(same);
    const Generated out = write_text(session, cache, std::span(ids).subspan(same), options, !json, guard);
    held.assign(ids.begin(), ids.end());
    held.insert(held.end(), out.ids.begin(), out.ids.end());
    held.resize(std::min(held.size(), static_cast<std::size_t>(cache.length)));
    ++options.sampling.seed;  // another turn, other numbers
    messages.push_back({{"role", "assistant"}, {"content", out.text}});
    if (json)
      print_line(
          Json{{"role", "assistant"}, {"content", out.text}}.dump(-1, ' ', false, Json::error_handler_t::replace));
    else
      std::printf("\n"), std::fflush(stdout);
    note_full(cache, out, options);
  }
  return 0;
}

}  // namespace

void register_torch_job_verbs_chat(JobTable& table) { table.action<ChatConfig>("chat", run_chat); }

}  // namespace frugal
