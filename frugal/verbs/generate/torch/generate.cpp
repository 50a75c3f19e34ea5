// frugal generate: text from a model, streamed as it comes, or many texts at once.
#include <cstdio>
#include <optional>

#include "frugal/base/error.h"
#include "frugal/base/handed.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/nn/generate/generate_many.h"
#include "frugal/plan/choices.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/verbs/generate/config.h"
#include "frugal/verbs/torch/generation.h"

namespace frugal {
namespace {

std::string text_of(const std::vector<std::int32_t>& tokens, const Tokenizer& tokenizer) {
  Utf8Stream characters;
  std::string text;
  for (const std::int32_t token : tokens) text += characters.take(tokenizer.piece(token));
  return text;
}

// Many texts at once, printed in the order of the prompts: each as soon as it and those before it have ended.
int generate_all(const GenerateConfig& config, Session& session, const std::vector<std::string>& prompts,
                 const std::vector<std::vector<std::int32_t>>& ids) {
  const GenerationOptions one = generation_options(config.sampling, session);
  const auto samples = static_cast<std::size_t>(config.samples);
  const bool json = config.output.json;
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
  options.together = config.batch;
  options.stop_tokens = one.stop_tokens;
  options.on_answer = print;
  Progress progress(waiting.size(), "texts");
  BudgetGuard guard(config.memory, "give more --memory, or a smaller --batch");
  generate_many(session.decoder, session.view(), ids, options, [&](std::size_t ended, std::size_t made) {
    throw_if_interrupted();
    guard.check("a forward");
    progress.update(ended, std::to_string(made) + " tokens");
  });
  return 0;
}

int run_generate(const GenerateConfig& config, const PlanChoices& choices) {
  Session session({config.model, config.compute, config.memory, choices.file_window, config.adapter});
  // The check read them.
  const auto prompts = handed().take<std::vector<std::string>>("prompts").value();
  const auto ids = handed().take<std::vector<std::vector<std::int32_t>>>("ids of prompts").value();
  if (!config.prompts.empty() || config.samples > 1) return generate_all(config, session, prompts, ids);
  throw_if_interrupted();
  const GenerationOptions options = generation_options(config.sampling, session);
  const std::vector<std::int32_t>& prompt = ids.front();
  if (prompt.empty()) throw Error(Exit::usage, "the prompt has no token", "give some text with --prompt");
  const std::int64_t context = session.store.shape().context;
  const auto most = static_cast<std::int64_t>(prompt.size()) + std::min(options.max_new_tokens, context);
  KvCache cache(session.store.shape(), std::min(context, most), session.decoder.compute());
  const bool json = config.output.json;
  BudgetGuard guard(config.memory, "give more --memory, or a shorter --prompt");
  const Generated out = write_text(session, cache, prompt, options, !json, guard);
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
    if (out.ids.empty() && config.chat.empty() && !session.source->chat_template().empty())
      note("the model ended its turn at once: it was tuned for chats; --chat puts a question through its template");
    if (rate > 0) say(std::to_string(out.ids.size()) + " tokens, " + std::to_string(rate).substr(0, 5) + " tokens/s");
  }
  return is_interrupted() ? static_cast<int>(Exit::interrupted) : 0;
}

}  // namespace

void register_torch_job_verbs_generate(JobTable& table) {
  table.raw_action("generate", [](const Json& settings) {
    return run_generate(from_json<GenerateConfig>(settings), choices_of(settings));
  });
}

}  // namespace frugal
