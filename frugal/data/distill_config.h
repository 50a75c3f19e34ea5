// Settings of distillation: what a model is to learn from a larger one, beside its data.
#pragma once
#include <cstdint>
#include <string>

#include "frugal/base/config.h"

namespace frugal {

struct DistillConfig {
  std::string teacher, teacher_weights = "bf16", teacher_store = "auto";
  double ce_weight = 1, kl_weight = 1, hidden_weight = 0;
  std::int64_t teacher_words = 64;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "teacher",
       .help = "the model that --objective distill learns from, of the same vocabulary: a GGUF file or a folder",
       .group = "distillation",
       .is_path = true},
      c.teacher);
    v({.name = "teacher_weights",
       .help = "its weights in memory, as --weights",
       .group = "distillation",
       .choices = {"bf16", "f32", "nf4", "stored"}},
      c.teacher_weights);
    v({.name = "teacher_store",
       .help =
           "live: the teacher stays in memory; stored: it runs once over the examples before the first step, and what "
           "it said lies in the run's folder; auto: live where --memory allows it",
       .group = "distillation",
       .choices = {"auto", "live", "stored"}},
      c.teacher_store);
    v({.name = "ce_weight", .help = "of the cross-entropy with the text, >= 0", .group = "distillation"}, c.ce_weight);
    v({.name = "kl_weight",
       .help = "of the divergence from the teacher, in nats a token, >= 0",
       .group = "distillation"},
      c.kl_weight);
    v({.name = "hidden_weight",
       .help = "of the distance of the layers' outputs from the teacher's, relative to their length, >= 0; needs as "
               "many layers, and a live teacher",
       .group = "distillation"},
      c.hidden_weight);
    v({.name = "teacher_words",
       .help = "likeliest words of the teacher that count one by one, 1 to 1024; the others count together",
       .group = "distillation"},
      c.teacher_words);
  }
};

// Error(Exit::usage) names the option and its value.
inline void validate(const DistillConfig& c) {
  require_setting(c.ce_weight >= 0, "--ce-weight", c.ce_weight, "a number >= 0", "--ce-weight 0 leaves the text out");
  require_setting(c.kl_weight >= 0, "--kl-weight", c.kl_weight, "a number >= 0", "--kl-weight 1 is usual");
  require_setting(c.hidden_weight >= 0, "--hidden-weight", c.hidden_weight, "a number >= 0",
                  "--hidden-weight 0 leaves them out");
  require_setting(c.ce_weight + c.kl_weight + c.hidden_weight > 0, "--kl-weight", c.kl_weight,
                  "above 0 where --ce-weight is 0", "--kl-weight 1 is usual");
  require_setting(c.teacher_words >= 1 && c.teacher_words <= 1024, "--teacher-words", c.teacher_words, "1 to 1024",
                  "--teacher-words 64 is usual");
}

}  // namespace frugal
