// frugal generate and frugal chat: text from a model, streamed as it comes.
#include "frugal/nn/generate.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <optional>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/data/prompts.h"
#include "frugal/formats/chat_template.h"
#include "frugal/nn/generate_many.h"
#include "frugal/verbs/verbs.h"

namespace frugal {
namespace {

// Bytes of tokens, handed on only in whole UTF-8 characters.
class Utf8Stream {
 public:
  std::string take(std::string_view bytes) {
    held_ += bytes;
    std::size_t whole = held_.size();
    for (std::size_t back = 1; back <= std::min<std::size_t>(4, held_.size()); ++back) {
      const auto c = static_cast<unsigned char>(held_[held_.size() - back]);
      if (c < 0x80) break;
      if (c >= 0xC0) {
        const std::size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
        if (length > back) whole = held_.size() - back;
        break;
      }
    }
    std::string out = held_.substr(0, whole);
    held_.erase(0, whole);
    return out;
  }

 private:
  std::string held_;
};

GenerationOptions generation_options(const Json& settings, const Session& session) {
  GenerationOptions options;
  options.max_new_tokens = settings.value("max_new_tokens", std::int64_t{128});
  options.sampling.temperature = settings.value("greedy", false) ? 0.0 : settings.value("temperature", 1.0);
  options.sampling.top_k = settings.value("top_k", std::int64_t{0});
  options.sampling.top_p = settings.value("top_p", 1.0);
  options.sampling.seed = static_cast<std::uint64_t>(settings.value("seed", std::int64_t{0}));
  options.stop_tokens = stop_tokens(session);
  return options;
}

struct Generated {
  std::vector<std::int32_t> ids;
  std::string text;
  double prompt_seconds = 0, seconds = 0;
};

Generated run(Session& session, KvCache& cache, std::span<const std::int32_t> prompt, const GenerationOptions& options,
              bool stream, BudgetGuard& guard) {
  using Clock = std::chrono::steady_clock;
  Generated result;
  Utf8Stream characters;
  const auto began = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  result.ids = generate(session.decoder, session.view, cache, prompt, options, [&](std::int32_t token) {
    if (result.prompt_seconds == 0) result.prompt_seconds = elapsed();
    const std::string text = characters.take(session.tokenizer->piece(token));
    result.text += text;
    if (stream) std::fwrite(text.data(), 1, text.size(), stdout), std::fflush(stdout);
    guard.check("a token");
    return !is_interrupted();
  });
  result.seconds = elapsed();
  return result;
}

// Says so when it was the context that ended an answer.
void note_full(const KvCache& cache, const Generated& out, const GenerationOptions& options) {
  if (cache.length < cache.capacity() || static_cast<std::int64_t>(out.ids.size()) >= options.max_new_tokens) return;
  note("the text ends here because the model's context of " + std::to_string(cache.capacity()) + " tokens is full");
}

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

std::string text_of(const std::vector<std::int32_t>& tokens, const Tokenizer& tokenizer) {
  Utf8Stream characters;
  std::string text;
  for (const std::int32_t token : tokens) text += characters.take(tokenizer.piece(token));
  return text;
}

// Many texts at once, printed in the order of the prompts: each as soon as it and those before it have ended.
int generate_all(const Json& settings, Session& session, const std::vector<std::string>& prompts) {
  const GenerationOptions one = generation_options(settings, session);
  const auto samples = static_cast<std::size_t>(settings.value("samples", std::int64_t{1}));
  const bool json = settings.value("json", false);
  std::vector<std::vector<std::int32_t>> ids;
  for (const std::string& prompt : prompts) ids.push_back(session.tokenizer->encode_with_special(prompt, false));
  std::vector<std::optional<std::string>> waiting(ids.size() * samples);
  std::size_t printed = 0;
  const auto print = [&](std::size_t answer, const std::vector<std::int32_t>& tokens) {
    const std::string& prompt = prompts[answer / samples];
    const std::string text = text_of(tokens, *session.tokenizer);
    const Json line{{"prompt", prompt}, {"sample", answer % samples}, {"text", text}, {"new_tokens", tokens.size()}};
    waiting[answer] =
        json ? line.dump(-1, ' ', false, Json::error_handler_t::replace) : (answer == 0 ? "" : "---\n") + prompt + text;
    for (; printed < waiting.size() && waiting[printed]; ++printed) {
      print_line(*waiting[printed]);
      waiting[printed].reset();
    }
  };
  ManyOptions options{.sampling = one.sampling};
  options.continuations = static_cast<std::int64_t>(samples);
  options.max_new_tokens = one.max_new_tokens;
  options.together = settings.value("batch", std::int64_t{8});
  options.stop_tokens = one.stop_tokens;
  options.on_answer = print;
  Progress progress(waiting.size(), "texts");
  BudgetGuard guard(Bytes{settings.value("memory", std::uint64_t{0})}, "give more --memory, or a smaller --batch");
  generate_many(session.decoder, session.view, ids, options, [&](std::size_t ended, std::size_t made) {
    throw_if_interrupted();
    guard.check("a forward");
    progress.update(ended, std::to_string(made) + " tokens");
  });
  return 0;
}

}  // namespace

int run_generate(const Json& settings) {
  Session session(settings);
  const std::string file = option(settings, "prompts");
  if (!file.empty()) return generate_all(settings, session, read_prompts(file));
  if (settings.value("samples", std::int64_t{1}) > 1)
    return generate_all(settings, session, {option(settings, "prompt")});
  throw_if_interrupted();
  const GenerationOptions options = generation_options(settings, session);
  const auto prompt = session.tokenizer->encode_with_special(option(settings, "prompt"), false);
  if (prompt.empty()) throw Error(Exit::usage, "the prompt has no token", "give some text with --prompt");
  const std::int64_t context = session.store.shape().context;
  const auto most = static_cast<std::int64_t>(prompt.size()) + std::min(options.max_new_tokens, context);
  KvCache cache(session.store.shape(), std::min(context, most), session.decoder.compute());
  const bool json = settings.value("json", false);
  BudgetGuard guard(Bytes{settings.value("memory", std::uint64_t{0})}, "give more --memory, or a shorter --prompt");
  const Generated out = run(session, cache, prompt, options, !json, guard);
  const double rest = out.seconds - out.prompt_seconds;
  const double rate = rest > 0 && out.ids.size() > 1 ? static_cast<double>(out.ids.size() - 1) / rest : 0;
  if (json) {
    print_line(Json{{"text", out.text},
                    {"tokens", out.ids},
                    {"prompt_tokens", prompt.size()},
                    {"new_tokens", out.ids.size()},
                    {"prompt_seconds", out.prompt_seconds},
                    {"tokens_per_second", rate},
                    {"seconds", session.seconds()},
                    {"peak_rss_bytes", peak_rss_bytes()},
                    {"floor_rss_bytes", session.floor_bytes}}
                   .dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    std::printf("\n");
    std::fflush(stdout);
    note_full(cache, out, options);
    if (rate > 0) say(std::to_string(out.ids.size()) + " tokens, " + std::to_string(rate).substr(0, 5) + " tokens/s");
  }
  return is_interrupted() ? static_cast<int>(Exit::interrupted) : 0;
}

int run_chat(const Json& settings) {
  Session session(settings);
  throw_if_interrupted();
  const std::string chat_template = require_template(session);
  const bool json = settings.value("json", false);
  GenerationOptions options = generation_options(settings, session);
  Json messages = Json::array();
  if (const std::string system = option(settings, "system"); !system.empty())
    messages.push_back({{"role", "system"}, {"content", system}});
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
    const Generated out = run(session, cache, std::span(ids).subspan(same), options, !json, guard);
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

}  // namespace frugal
