#include "frugal/verbs/torch/generation.h"

#include <cstdio>

#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"

namespace frugal {

GenerationOptions generation_options(const SamplingConfig& config, const Session& session) {
  GenerationOptions options;
  options.max_new_tokens = config.max_new_tokens;
  options.sampling.temperature = config.greedy ? 0.0 : config.temperature;
  options.sampling.top_k = config.top_k;
  options.sampling.top_p = config.top_p;
  options.sampling.seed = static_cast<std::uint64_t>(config.seed);
  options.stop_tokens = stop_tokens(*session.source, *session.tokenizer);
  return options;
}

Generated write_text(Session& session, KvCache& cache, std::span<const std::int32_t> prompt,
                     const GenerationOptions& options, bool stream, BudgetGuard& guard) {
  using Clock = std::chrono::steady_clock;
  Generated result;
  Utf8Stream characters;
  const auto began = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  result.ids = generate(session.decoder, session.view(), cache, prompt, options, [&](std::int32_t token) {
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

void note_full(const KvCache& cache, const Generated& out, const GenerationOptions& options) {
  if (cache.length < cache.capacity() || static_cast<std::int64_t>(out.ids.size()) >= options.max_new_tokens) return;
  note("the text ends here because the model's context of " + std::to_string(cache.capacity()) + " tokens is full");
}

}  // namespace frugal
