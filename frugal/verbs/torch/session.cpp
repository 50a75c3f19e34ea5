#include "frugal/verbs/torch/session.h"

#include <iostream>

#include "frugal/base/log.h"
#include "frugal/base/neighbours.h"
#include "frugal/base/processor.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/core/products.h"
#include "frugal/train/named_bytes.h"
#include "frugal/verbs/torch/tuned_weights.h"

namespace frugal {

Threads::Crowd crowd(std::int64_t wish, bool has_budget) {
  Threads::Crowd crowd;
  if (wish > 0 || has_budget) return crowd;
  crowd.is_crowded = [neighbours = Neighbours()]() mutable { return neighbours.are_busy(); };
  return crowd;
}

Compute compute_of(const ComputeConfig& config) {
  if (config.compute == "auto") return config.weight_type() == WeightType::f32 ? Compute::f32 : best_compute();
  return config.compute == "bf16" ? Compute::bf16 : Compute::f32;
}

int thread_count(std::int64_t wish) { return static_cast<int>(wish > 0 ? wish : usable_cores()); }
std::uint64_t peak_rss_bytes() { return memory_usage().peak; }

void print_line(std::string_view line) { std::cout << line << std::endl; }

Session::Session(const SessionConfig& config, bool has_tokenizer)
    : floor_bytes(peak_rss_bytes()),
      weights(config.compute.weight_type()),
      threads(thread_count(config.compute.threads), single_threaded_torch,
              crowd(config.compute.threads, config.memory.count > 0)),
      source(ModelSource::open(config.model)),
      tokenizer(has_tokenizer ? source->tokenizer() : nullptr),
      store(source, config.compute.weight_type(), threads),
      decoder(store.shape(), threads, compute_of(config.compute)),
      base_(store) {
  if (config.file_window > 0) store.keep_resident(config.file_window);
  lay(config.adapter);
}

void Session::lay(const AdapterConfig& adapter) {
  if (adapter.adapter.empty()) return;
  use(nullptr);
  tuned_.reset();  // one at a time is in memory
  tuned_ = std::make_unique<TunedWeights>(*this, adapter.adapter, adapter.step);
  if (tuned_->is_run())
    note("using " + adapter.adapter + " after step " + std::to_string(tuned_->step()) + " of " +
         std::to_string(tuned_->steps()));
  use(&tuned_->view());
}

Session::~Session() = default;

double Session::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

std::vector<std::int32_t> stop_tokens(const ModelSource& model, const Tokenizer& tokenizer) {
  std::vector<std::int32_t> stops;
  const Json ends = model.generation_config().value("eos_token_id", Json());
  for (const Json& end : ends.is_array() ? ends : Json::array({ends})) {
    if (end.is_number_integer()) stops.push_back(end.get<std::int32_t>());
  }
  if (const std::int32_t eos = tokenizer.model().eos; eos >= 0) stops.push_back(eos);
  return stops;
}

std::string base_sha256(Session& session) {
  for (std::size_t id = 0; id < session.store.size(); ++id) {
    if (session.store.type(id) == WeightType::stored) return session.source->sha256();
  }
  return weights_sha256(named_bytes(session.store));
}

}  // namespace frugal
