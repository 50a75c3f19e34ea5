// Settings that several verbs have.
#pragma once
#include <cstdint>
#include <string>

#include "frugal/base/config.h"
#include "frugal/base/output_config.h"
#include "frugal/base/settings.h"
#include "frugal/base/weight_type.h"

namespace frugal {

struct ComputeConfig {
  std::string weights = "bf16";
  std::string compute = "auto";
  std::int64_t threads = 0;
  WeightType weight_type() const { return parse_weight_type(weights); }

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "weights",
       .help =
           "weights in memory: bf16 or f32 made from the file once; nf4: linears in 4.5 bits a weight, made once and "
           "dequantised on use; or the file's blocks as stored",
       .group = "budget",
       .choices = {"bf16", "f32", "nf4", "stored"}},
      c.weights);
    v({.name = "compute",
       .help = "of matrix products; auto: f32 with --weights f32, else bf16 where the processor has it",
       .group = "budget",
       .choices = {"auto", "bf16", "f32"}},
      c.compute);
    v({.name = "threads",
       .help = "threads that compute; 0: one a core, and helpers beside busy processes",
       .group = "budget"},
      c.threads);
  }
};

// --dtype of what writes a model.
Field dtype_field();
// Error(Exit::usage): --out is no GGUF file, and nothing else holds such a type.
void require_dtype_of(const std::string& dtype, const std::string& out);

// Where a model is written, and how.
struct ExportConfig {
  std::string out, dtype = "bf16";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "out",
       .help = "a folder for Hugging Face's format, or a file that ends in .gguf; must not be there yet",
       .group = "output"},
      c.out);
    v(dtype_field(), c.dtype);
  }
};

struct SamplingConfig {
  std::int64_t max_new_tokens = 128;
  bool greedy = false;
  double temperature = 0.8;
  std::int64_t top_k = 0;
  double top_p = 0.95;
  std::int64_t seed = 1;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "max_new_tokens", .help = "the longest answer in tokens, >= 1", .group = "text"}, c.max_new_tokens);
    v({.name = "greedy", .help = "always the likeliest token", .group = "text"}, c.greedy);
    v({.name = "temperature", .help = "above 1 more varied, below 1 less; 0 is greedy", .group = "text"},
      c.temperature);
    v({.name = "top_k", .help = "only the k likeliest tokens; 0: all", .group = "text"}, c.top_k);
    v({.name = "top_p", .help = "only the likeliest tokens that make up this probability, in (0, 1]", .group = "text"},
      c.top_p);
    v({.name = "seed", .help = "of the random choices, >= 0", .group = "text"}, c.seed);
  }
};

void validate(const ComputeConfig& config);
// Whether products go in bf16, as the session decides it.
bool computes_in_bf16(const ComputeConfig& config);
// Error(Exit::usage) where a method changes weights that --weights keeps quantised.
void require_changeable_weights(const std::string& method, const Json& settings);
void require_model(const std::string& path);  // given, and something is there
void validate(const ExportConfig& config);
void validate(const SamplingConfig& config);
void refuse_unused_sampling(const Settings& settings, const SamplingConfig& config);  // --greedy beside --temperature

}  // namespace frugal
