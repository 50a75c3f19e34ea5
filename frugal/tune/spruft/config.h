// SPruFT: AdamW on the most important rows of each linear, chosen once (arXiv:2502.11439).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/weight_type.h"
#include "frugal/formats/adapter/rows_adapter.h"
#include "frugal/train/config/first_order.h"

namespace frugal {

struct SpruftConfig {
  FirstOrderConfig first_order{.step = {3e-4}};
  std::int64_t rows = 0;
  double ratio = 0;
  std::int64_t round_to = 4, min_rows = 1;
  bool global = false;
  std::string axis = "out", score = "auto", aggregate = "quantile-mean";
  std::int64_t score_batches = 16, score_layers = 0, zo_directions = 64;
  std::vector<std::string> targets;
  bool print_rows = false;
  std::string adapter;

  static constexpr std::int64_t kDefaultRows = 64;
  // What chooses the rows, which an adapter has chosen already.
  static constexpr std::string_view kChoosing[] = {"rows",          "ratio",        "round_to",      "min_rows",
                                                   "global",        "axis",         "score",         "aggregate",
                                                   "score_batches", "score_layers", "zo_directions", "targets"};
  // auto: taylor, or wanda where the weights have no gradients. weights: as they are kept.
  void choose_score(WeightType weights) {
    if (score == "auto") score = can_change(weights) ? "taylor" : "wanda";
  }
  bool needs_gradients() const { return score == "taylor" || score == "fisher" || score == "qm-taylor"; }

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    FirstOrderConfig::fields(c.first_order, v);
    v({.name = "rows",
       .help = "rows trained in each linear; 0: by --ratio, or without one 64, all of a linear that has fewer",
       .group = "method"},
      c.rows);
    v({.name = "ratio",
       .help = "share of each linear's rows that is trained, in (0, 1]; 0: by --rows",
       .group = "method"},
      c.ratio);
    v({.name = "round_to", .help = "--ratio rounds down to a multiple of this, >= 1", .group = "method"}, c.round_to);
    v({.name = "min_rows", .help = "but to no less than this", .group = "method"}, c.min_rows);
    v({.name = "global",
       .help = "--ratio of all rows together, each linear's scores divided by their mean",
       .group = "method"},
      c.global);
    v({.name = "axis",
       .help = "what is trained of each linear: rows (out) or columns (in), which need fewer of its inputs",
       .group = "method",
       .choices = {"out", "in"}},
      c.axis);
    v({.name = "score",
       .help = "what makes a row important: |w g| or (w g)^2 on training batches, |w|^2, the spread of |w g| over the "
               "labels, |w g| with g from forward passes, |w| times the size of its input, what 4 bits (NF4) lose of "
               "it, or nothing; auto: taylor, or wanda with --weights stored and nf4",
       .group = "method",
       .choices = {"auto", "taylor", "fisher", "magnitude", "qm-taylor", "zo-taylor", "wanda", "quant-error",
                   "random"}},
      c.score);
    v({.name = "aggregate",
       .help = "how --score qm-taylor makes one score of those of the labels",
       .group = "method",
       .choices = {"max", "mean", "quantile-mean", "upper-quantile-mean", "top5", "top5-and-mean"}},
      c.aggregate);
    v({.name = "score_batches", .help = "training batches the scores are made from, >= 1", .group = "method"},
      c.score_batches);
    v({.name = "score_layers",
       .help = "layers scored at once, whose dense gradients are held meanwhile; 0: all",
       .group = "method"},
      c.score_layers);
    v({.name = "zo_directions", .help = "random directions of zo-taylor, >= 1", .group = "method"}, c.zo_directions);
    v({.name = "targets",
       .help = "linears with trained rows, by the end of their names: o_proj,down_proj; none: all of every layer",
       .group = "method"},
      c.targets);
    v({.name = "print_rows", .help = "list the rows that were chosen", .group = "method"}, c.print_rows);
    v({.name = "adapter",
       .help = "a file of trained rows to go on from; which rows are trained is then its own",
       .group = "method"},
      c.adapter);
  }
};

inline void validate(const SpruftConfig& c) {
  validate(c.first_order);
  if (c.rows != 0 && c.ratio != 0) {
    throw Error(
        Exit::usage,
        "--rows is " + std::to_string(c.rows) + " and --ratio is " + Json(c.ratio).dump() + ", expected one of them",
        "leave one out");
  }
  require_setting(c.rows >= 0, "--rows", c.rows, "a number of rows >= 1", "--rows 64 is usual");
  require_setting(c.ratio >= 0 && c.ratio <= 1, "--ratio", c.ratio, "a number in (0, 1]",
                  "--ratio 0.05 trains a twentieth");
  require_setting(c.round_to >= 1, "--round-to", c.round_to, "at least 1", "--round-to 4 is usual");
  require_setting(c.min_rows >= 0, "--min-rows", c.min_rows, "at least 0", "--min-rows 1 is usual");
  require_setting(!c.global || c.ratio > 0, "--global", c.global, "a --ratio beside it", "give --ratio 0.05");
  require_setting(c.score_batches >= 1, "--score-batches", c.score_batches, "at least 1",
                  "--score-batches 16 is usual");
  require_setting(c.score_layers >= 0, "--score-layers", c.score_layers, "at least 0",
                  "--score-layers 0 scores all at once");
  require_setting(c.adapter.empty() || (c.rows == 0 && c.ratio == 0), "--adapter", c.adapter,
                  "no --rows and no --ratio beside it", "leave them out: the adapter says which rows are trained");
  require_setting(c.adapter.empty() || is_rows_adapter(c.adapter), "--adapter", c.adapter,
                  "a file of trained rows, which ends in .safetensors",
                  "name a file that frugal merge RUN --adapter --out rows.safetensors wrote");
  require_setting(c.zo_directions >= 1, "--zo-directions", c.zo_directions, "at least 1",
                  "--zo-directions 64 is usual");
}

}  // namespace frugal
