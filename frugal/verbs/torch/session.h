// A model made ready to compute: what every verb with LibTorch starts from.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "frugal/base/json.h"
#include "frugal/base/threads.h"
#include "frugal/core/budget/guard.h"
#include "frugal/data/prompt_task.h"
#include "frugal/formats/tokenizer.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/train/objective/evaluate.h"
#include "frugal/verbs/common/options.h"
#include "frugal/verbs/common/tuned_model.h"

namespace frugal {

class TunedWeights;

struct SessionConfig {
  std::string model;
  ComputeConfig compute;
  Bytes memory;                   // a limit: no more threads than the plan counts
  std::uint64_t file_window = 0;  // see PlanChoices
  AdapterConfig adapter = {};     // laid over the model
};

class Session {
 public:
  // floor_bytes is the peak before anything was loaded.
  explicit Session(const SessionConfig& config, bool has_tokenizer = true);

  ~Session();

  double seconds() const;  // since the session began
  const WeightView& view() const { return *view_; }
  void lay(const AdapterConfig& adapter);  // over the model; an empty one: nothing. See TunedWeights
  void use(const WeightView* view) { view_ = view != nullptr ? view : &base_; }  // it outlives what reads it
  std::uint64_t floor_bytes;
  const WeightType weights;  // that were asked for
  Threads threads;
  std::shared_ptr<const ModelSource> source;
  std::unique_ptr<Tokenizer> tokenizer;  // null without has_tokenizer
  WeightStore store;
  Decoder decoder;

 private:
  BaseView base_;
  std::unique_ptr<TunedWeights> tuned_;
  const WeightView* view_ = &base_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

// Names the weights a run begins with: of its own copy, or of the file when blocks are used as stored.
std::string base_sha256(Session& session);
std::uint64_t peak_rss_bytes();
Compute compute_of(const ComputeConfig& config);
// A team of the size asked for, or that a plan counted; else of one a core, and of more beside busy neighbours.
Threads::Crowd crowd(std::int64_t wish, bool has_budget);
int thread_count(std::int64_t wish);  // 0: one a core
std::vector<std::int32_t> stop_tokens(const ModelSource& model,
                                      const Tokenizer& tokenizer);  // that end what the model writes
void print_line(std::string_view line);                             // to stdout, flushed

}  // namespace frugal
