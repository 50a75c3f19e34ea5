// What every method of `frugal prune` has.
#pragma once
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/base/config.h"
#include "frugal/plan/cuts.h"

namespace frugal {

struct PruneConfig {
  double sparsity = 0.5;
  std::vector<std::string> also;
  std::string vocabulary_from;
  std::int64_t windows = 0, window_length = 0, masks_together = 0;  // 0: as the budget says
  std::string layout = "native";
  std::int64_t min_heads = 1, min_neurons = 32, neuron_multiple = 32;

  // What is to be gone at the models that are written, ascending; the last is `sparsity`. Error(Exit::usage): `also`.
  std::vector<double> goals() const;
  std::vector<std::string> marks() const;  // of all but the last, as numbers are written: 0.2

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "sparsity",
       .help = "share of the blocks' parameters to remove, in (0, 1); embeddings and head are not counted; 0 with "
               "--vocabulary-from alone",
       .group = "pruning"},
      c.sparsity);
    v({.name = "also",
       .help = "models on the way that are written, too, by their shares: 0.2,0.3 writes OUT-0.2 and OUT-0.3",
       .group = "pruning"},
      c.also);
    v({.name = "vocabulary_from",
       .help = "a text file: the model keeps the tokens that it needs; other texts take more tokens",
       .group = "pruning"},
      c.vocabulary_from);
    v({.name = "windows", .help = "windows of text that units are judged on; 0: as --budget says", .group = "pruning"},
      c.windows);
    v({.name = "window_length", .help = "tokens of a window; 0: as --budget says", .group = "pruning"},
      c.window_length);
    v({.name = "masks_together",
       .help = "masked models in one forward, even, at most 8; 0: as many as fill it and fit --memory",
       .group = "pruning"},
      c.masks_together);
    v({.name = "layout",
       .help =
           "native: layers of different sizes (GGUF's deci, per_layer_config); uniform: the same in all layers, which "
           "every program loads; padded: chosen as native, zeros up to the largest layer, which every program loads",
       .group = "pruning",
       .choices = {"native", "uniform", "padded"}},
      c.layout);
    v({.name = "min_heads", .help = "key heads that each layer keeps, >= 0", .group = "pruning"}, c.min_heads);
    v({.name = "min_neurons", .help = "neurons that each layer keeps, >= 0", .group = "pruning"}, c.min_neurons);
    v({.name = "neuron_multiple",
       .help = "each layer keeps a multiple of so many neurons; 32 fits blocks of quantised types, 256 K-quants",
       .group = "pruning"},
      c.neuron_multiple);
  }
};

inline constexpr std::int64_t kMostMasksTogether = 8;  // what a view has of branches

// Masked models that fill a forward, even: as many as bring its rows to what an evaluation packs, at least a pair.
inline std::int64_t masks_that_fill(std::int64_t window_length) {
  return std::clamp<std::int64_t>(kPackedTokens / window_length / 2 * 2, 2, kMostMasksTogether);
}

inline std::vector<double> PruneConfig::goals() const {
  std::vector<double> goals;
  for (const std::string& text : also) {
    double share = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), share);
    require_setting(failed == std::errc() && end == text.data() + text.size() && share > 0 && share < sparsity,
                    "--also", text, "shares between 0 and --sparsity", "--sparsity 0.5 --also 0.2,0.3");
    goals.push_back(share);
  }
  std::sort(goals.begin(), goals.end());
  require_setting(std::adjacent_find(goals.begin(), goals.end()) == goals.end(), "--also", also, "each share once",
                  "leave the second out");
  goals.push_back(sparsity);
  return goals;
}

inline std::vector<std::string> PruneConfig::marks() const {
  std::vector<std::string> marks;
  for (const double goal : goals()) marks.push_back(Json(goal).dump());
  marks.pop_back();
  return marks;
}

inline void validate(const PruneConfig& c) {
  const bool is_of_words = c.sparsity == 0 && !c.vocabulary_from.empty();
  require_setting(is_of_words || (c.sparsity > 0 && c.sparsity < 1), "--sparsity", c.sparsity, "a number in (0, 1)",
                  "--sparsity 0.5 removes half; 0 goes with --vocabulary-from");
  c.goals();
  require_setting(c.windows >= 0, "--windows", c.windows, "at least 0", "--windows 32 is usual");
  require_setting(c.window_length == 0 || c.window_length >= 8, "--window-length", c.window_length, "0 or at least 8",
                  "--window-length 256 is usual");
  require_setting(c.masks_together >= 0 && c.masks_together % 2 == 0 && c.masks_together <= kMostMasksTogether,
                  "--masks-together", c.masks_together, "0, 2, 4, 6 or 8", "--masks-together 4 is usual");
  require_setting(c.min_heads >= 0, "--min-heads", c.min_heads, "at least 0", "--min-heads 1 is usual");
  require_setting(c.min_neurons >= 0, "--min-neurons", c.min_neurons, "at least 0", "--min-neurons 32 is usual");
  require_setting(c.neuron_multiple >= 1, "--neuron-multiple", c.neuron_multiple, "at least 1",
                  "--neuron-multiple 32 is usual");
}

}  // namespace frugal
