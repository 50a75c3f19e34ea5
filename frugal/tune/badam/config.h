// BAdam: AdamW on one block of the weights after the other (arXiv:2404.02827).
#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include "frugal/train/config/first_order.h"
#include "frugal/train/config/low_rank.h"

namespace frugal {

// Steps a block is trained before the next one takes its turn, or "auto": n / (batch * blocks), between 50 and 100.
struct SwitchEvery {
  static constexpr const char* kTypeName = "N|auto";
  static constexpr std::int64_t kLeast = 50, kMost = 100;  // of auto
  std::int64_t value = 0;                                  // meaningless when automatic
  bool is_automatic = true;

  bool operator==(const SwitchEvery&) const = default;
  static SwitchEvery parse(std::string_view text) {
    if (text == "auto") return {};
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1) {
      throw Error(Exit::usage, "--switch-every is '" + std::string(text) + "', expected a number of steps >= 1 or auto",
                  "--switch-mode fixed trains one block all the time");
    }
    return {value, false};
  }
  // examples: of the training set; batch: examples a step.
  std::int64_t steps(std::int64_t examples, std::int64_t batch, std::size_t blocks) const {
    if (!is_automatic) return value;
    const double once = static_cast<double>(examples) / (static_cast<double>(batch) * static_cast<double>(blocks));
    return std::clamp<std::int64_t>(std::llround(once), kLeast, kMost);
  }
};

inline void to_json(Json& json, const SwitchEvery& every) { every.is_automatic ? json = "auto" : json = every.value; }
inline void from_json(const Json& json, SwitchEvery& every) {
  every = SwitchEvery::parse(json.is_string() ? json.get<std::string>() : json.dump());
}

struct BadamConfig {
  FirstOrderConfig first_order{.step = {3e-4}, .update = "master"};
  TrainedConfig trained;
  std::string block = "layer";
  SwitchEvery switch_every;
  std::string switch_mode = "random";
  std::int64_t start_block = -1;
  bool include_embedding = false, include_lm_head = false, reset_always_active = false, keep_residual = false;
  std::vector<std::string> always_active;
  double ratio = 0;
  std::string mask = "adjacent";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    FirstOrderConfig::fields(c.first_order, v);
    v({.name = "block",
       .help = "what takes turns: layer, module (attention, feed-forward), matrix, or custom:PREFIX+PREFIX;PREFIX "
               "(blocks of name prefixes)",
       .group = "method"},
      c.block);
    v({.name = "switch_every",
       .help = "steps a block is trained, >= 1; auto: examples / (batch x blocks), from 50 to 100",
       .group = "method"},
      c.switch_every);
    v({.name = "switch_mode",
       .help = "order of the blocks: a new random one each round, up, down, or one block all the time",
       .group = "method",
       .choices = {"random", "ascending", "descending", "fixed"}},
      c.switch_mode);
    v({.name = "start_block", .help = "the first block, from 0; -1: as the mode has it", .group = "method"},
      c.start_block);
    v({.name = "include_embedding", .help = "the embedding is a block, too", .group = "method"}, c.include_embedding);
    v({.name = "include_lm_head", .help = "the final norm and the head are a block, too", .group = "method"},
      c.include_lm_head);
    v({.name = "always_active",
       .help = "name prefixes trained beside every block, their state kept",
       .group = "method"},
      c.always_active);
    v({.name = "reset_always_active",
       .help = "their state begins anew with each block, as in the reference",
       .group = "method"},
      c.reset_always_active);
    v({.name = "keep_residual",
       .help = "what bf16 weights lose of a block's fp32 copy at its end comes back at its next turn (1 byte a number)",
       .group = "method"},
      c.keep_residual);
    v({.name = "ratio",
       .help = "instead of blocks this share of every tensor takes turns, in (0, 1]; 0: blocks",
       .group = "method"},
      c.ratio);
    v({.name = "mask",
       .help = "what --ratio is a share of: entries that lie together, entries in a fixed random order, or whole rows, "
               "of whose gradients no others are made",
       .group = "method",
       .choices = {"adjacent", "scatter", "adjacent_rows"}},
      c.mask);
    TrainedConfig::fields(c.trained, v);
  }
};

inline void validate(const BadamConfig& c) {
  validate(c.first_order);
  validate(c.trained);
  require_setting(c.block == "layer" || c.block == "module" || c.block == "matrix" ||
                      (c.block.starts_with("custom:") && c.block != "custom:"),
                  "--block", c.block, "layer, module, matrix or custom:PREFIXES", "--block layer is the method's own");
  require_setting(c.start_block >= -1, "--start-block", c.start_block, "a block's number, or -1",
                  "frugal tune --dry-run lists the blocks");
  require_setting(c.switch_mode != "fixed" || c.start_block >= 0, "--switch-mode", c.switch_mode,
                  "a --start-block beside it", "name the block with --start-block");
  require_setting(c.ratio >= 0 && c.ratio <= 1, "--ratio", c.ratio, "a number in (0, 1]", "--ratio 0.1 is usual");
  require_setting(c.ratio > 0 || c.mask == "adjacent", "--mask", c.mask, "a --ratio beside it", "give --ratio 0.1");
  require_setting(!c.keep_residual || (c.first_order.update == "master" && !c.trained.is_lora()), "--keep-residual",
                  true, "--update master of the weights themselves",
                  "leave --keep-residual out, or --update and --train");
  if (c.ratio == 0) return;
  const BadamConfig usual;
  const std::pair<const char*, bool> of_blocks[] = {{"--block", c.block != usual.block},
                                                    {"--switch-mode", c.switch_mode != usual.switch_mode},
                                                    {"--start-block", c.start_block != usual.start_block},
                                                    {"--always-active", !c.always_active.empty()},
                                                    {"--reset-always-active", c.reset_always_active},
                                                    {"--keep-residual", c.keep_residual},
                                                    {"--train lora", c.trained.is_lora()}};
  for (const auto& [option, is_given] : of_blocks) {
    if (is_given)
      throw Error(Exit::usage,
                  std::string(option) + " is given beside --ratio " + Json(c.ratio).dump() +
                      ", but a share of every tensor has no blocks",
                  "leave one of them out");
  }
}

}  // namespace frugal
