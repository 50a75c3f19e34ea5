// One text from a model, token by token: what generate and chat share.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/core/budget/guard.h"
#include "frugal/nn/generate/generate.h"
#include "frugal/verbs/common/options.h"
#include "frugal/verbs/torch/session.h"

namespace frugal {

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

GenerationOptions generation_options(const SamplingConfig& config, const Session& session);

struct Generated {
  std::vector<std::int32_t> ids;
  std::string text;
  double prompt_seconds = 0, seconds = 0;
};

// Appends to `cache` and prints as it comes where `stream` says so; ends early on Ctrl-C.
Generated write_text(Session& session, KvCache& cache, std::span<const std::int32_t> prompt,
                     const GenerationOptions& options, bool stream, BudgetGuard& guard);

// Says so when it was the context that ended an answer.
void note_full(const KvCache& cache, const Generated& out, const GenerationOptions& options);

}  // namespace frugal
