#include "frugal/verbs/session.h"

#include "frugal/base/neighbours.h"
#include "frugal/base/processor.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/core/products.h"
#include "frugal/train/loop/run_state.h"

namespace frugal {
namespace {

// A team of the size asked for, or that a plan counted; else of one a core, and of more beside busy neighbours.
Threads::Crowd crowd(std::int64_t wish, bool has_budget) {
  Threads::Crowd crowd;
  if (wish > 0 || has_budget) return crowd;
  crowd.is_crowded = [neighbours = Neighbours()]() mutable { return neighbours.are_busy(); };
  return crowd;
}

}  // namespace

int thread_count(std::int64_t wish) { return static_cast<int>(wish > 0 ? wish : usable_cores()); }
std::uint64_t peak_rss_bytes() { return memory_usage().peak; }

std::string option(const Json& settings, const char* name) {
  const auto found = settings.find(name);
  return found != settings.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Session::Session(const Json& settings, bool has_tokenizer)
    : Session(ModelSource::open(option(settings, "model")), option(settings, "weights"),
              settings.value("threads", std::int64_t{0}), has_tokenizer,
              settings.value("memory", std::uint64_t{0}) > 0) {
  if (const auto window = settings.value("file_window", std::uint64_t{0}); window > 0) store.keep_resident(window);
}

Session::Session(std::shared_ptr<const ModelSource> source_, const std::string& weights, std::int64_t wish,
                 bool has_tokenizer, bool has_budget)
    : floor_bytes(peak_rss_bytes()),
      threads(thread_count(wish), single_threaded_torch, crowd(wish, has_budget)),
      source(std::move(source_)),
      tokenizer(has_tokenizer ? source->tokenizer() : nullptr),
      store(source, weights.empty() ? WeightType::bf16 : parse_weight_type(weights), threads),
      view(store),
      decoder(store.shape(), threads, best_compute()) {}

double Session::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

std::vector<std::int32_t> stop_tokens(const Session& session) {
  std::vector<std::int32_t> stops;
  const Json ends = session.source->generation_config().value("eos_token_id", Json());
  for (const Json& end : ends.is_array() ? ends : Json::array({ends})) {
    if (end.is_number_integer()) stops.push_back(end.get<std::int32_t>());
  }
  if (const std::int32_t eos = session.tokenizer->model().eos; eos >= 0) stops.push_back(eos);
  return stops;
}

std::string base_sha256(Session& session) {
  for (std::size_t id = 0; id < session.store.size(); ++id) {
    if (session.store.type(id) == WeightType::stored) return session.source->sha256();
  }
  return weights_sha256(named_bytes(session.store));
}

}  // namespace frugal
