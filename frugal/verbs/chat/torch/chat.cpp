// frugal chat: a conversation through the model's chat template.
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/handed.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/data/chat_renderer.h"
#include "frugal/plan/choices.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/verbs/chat/config.h"
#include "frugal/verbs/torch/generation.h"
#include "frugal/verbs/torch/tuned_weights.h"

namespace frugal {
namespace {

// What answers: the model, or one of those laid over it.
class Adapters {
 public:
  Adapters(Session& session, const std::vector<NamedAdapter>& adapters) : session_(session) {
    for (const NamedAdapter& each : adapters) {
      const auto& added = all_.emplace_back(each.name, std::make_unique<TunedWeights>(session, each.path));
      if (added.second->changes_weights() && adapters.size() > 1)
        throw Error(Exit::usage, each.path + " changed the model's own weights, and there are other adapters",
                    "take it alone, or write it as a model: frugal merge MODEL " + each.path + " --out tuned");
    }
    if (!all_.empty()) take(all_.front().first);
  }
  // An empty name: the model alone. False: there is none of that name.
  bool take(const std::string& name) {
    if (name.empty()) {
      session_.use(nullptr);
      return all_.empty() || !all_.front().second->changes_weights();
    }
    for (const auto& [own, weights] : all_) {
      if (own != name) continue;
      session_.use(&weights->view());
      return true;
    }
    return false;
  }
  std::string names() const {
    std::string text;
    for (const auto& [name, weights] : all_) text += (text.empty() ? "" : ", ") + name;
    return text.empty() ? "none" : text;
  }

 private:
  Session& session_;
  std::vector<std::pair<std::string, std::unique_ptr<TunedWeights>>> all_;
};

// One conversation as tune reads it, in a file that this process alone changes.
class History {
 public:
  // known: what was read of it.
  History(const std::string& path, std::string known) : path_(path), known_(std::move(known)) {}
  void save(const std::vector<Message>& messages) {
    if (path_.empty()) return;
    if (content() != known_)
      throw Error(Exit::input, path_ + " was changed meanwhile, by another chat it may be",
                  "give every chat a --history of its own");
    Json all = Json::array();
    for (const Message& each : messages) all.push_back({{"role", each.role}, {"content", each.content}});
    known_ = Json{{"messages", all}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    write_file(path_, known_);
  }

 private:
  std::string content() const { return !path_.empty() && std::filesystem::exists(path_) ? read_file(path_) : ""; }
  const std::string path_;
  std::string known_;
};

int run_chat(const ChatConfig& config, const PlanChoices& choices) {
  Session session({config.model, config.compute, config.memory, choices.file_window});
  throw_if_interrupted();
  Adapters adapters(session, named_adapters(config.adapters));
  const ChatRenderer renderer(session.source->chat_template(), *session.tokenizer);
  const bool json = config.output.json;
  GenerationOptions options = generation_options(config.sampling, session);
  History history(config.history, handed().take<std::string>("text of history").value_or(""));
  auto messages = handed().take<std::vector<Message>>("history").value_or(std::vector<Message>());
  if (!messages.empty()) say("going on with " + std::to_string(messages.size()) + " messages of " + config.history);
  if (!config.system.empty()) {
    if (!messages.empty() && messages.front().role == "system") messages.erase(messages.begin());
    messages.insert(messages.begin(), Message{"system", config.system});
  }
  KvCache cache(session.store.shape(), config.context, session.decoder.compute());
  std::vector<std::int32_t> held;  // what the cache holds
  BudgetGuard guard(config.memory, "give more --memory, or a smaller --context");
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
    if (line == "/adapter" || line.starts_with("/adapter ")) {
      const std::string name = line.size() > 9 ? line.substr(9) : std::string();
      if (!adapters.take(name)) {
        warn("there is no adapter '" + name + "' to take, there are: " + adapters.names());
        continue;
      }
      held.clear();  // what the other one made of the conversation
      say(name.empty() ? "the model itself answers" : name + " answers");
      continue;
    }
    messages.push_back({"user", line});
    const auto ids = session.tokenizer->encode(renderer.render(messages, true), true);
    if (static_cast<std::int64_t>(ids.size()) > cache.capacity()) {
      throw Error(Exit::input,
                  "the conversation has " + std::to_string(ids.size()) + " tokens, but there is room for " +
                      std::to_string(cache.capacity()),
                  "begin a new chat, write shorter messages, or give more --context");
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
    messages.push_back({"assistant", out.text});
    history.save(messages);
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

void register_torch_job_verbs_chat(JobTable& table) {
  table.raw_action(
      "chat", [](const Json& settings) { return run_chat(from_json<ChatConfig>(settings), choices_of(settings)); });
}

}  // namespace frugal
