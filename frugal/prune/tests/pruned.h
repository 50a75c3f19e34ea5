// A small model and a method of prune on it, for tests.
#pragma once
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "frugal/formats/tests/small_model.h"
#include "frugal/prune/registry.h"
#include "frugal/prune/torch/pruner.h"

namespace frugal::prune_tests {

inline std::vector<std::int32_t> some_text() {
  std::vector<std::int32_t> tokens(2000);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>((i * i * 7 + i * 13) % 256);
  return tokens;
}

inline std::shared_ptr<const ModelSource> small_model() {
  return std::make_shared<formats_tests::SmallModel>(formats_tests::small_shape(true));
}

struct Pruned {
  Pruned(const std::string& method, double sparsity, const Json& more = Json::object(), int threads = 2,
         std::shared_ptr<const ModelSource> source = small_model(), PruneTask* task = nullptr, std::uint64_t seed = 3)
      : team(threads, single_threaded_torch),
        model(std::move(source), WeightType::f32, Compute::f32, team, some_text(), -1) {
    Json settings = {{"method", method}};
    for (const FieldInfo& info : prune_methods().at(method).fields)
      settings[std::string(info.field.name)] = info.initial;
    if (settings.contains("masks")) settings["masks"] = 40;
    settings.update(more);
    prune_methods().at(method).validate(settings);
    PrunerRegistry registry;
    register_pruners(registry);
    PruneConfig config{.sparsity = sparsity, .windows = 4, .window_length = 32};
    config.min_neurons = 4, config.neuron_multiple = 1;
    Json own = to_json(config);
    own.update(more);
    pruner = registry.make(method, settings, {model, from_json<PruneConfig>(own), seed, task});
  }
  void run(std::int64_t from = 0, std::int64_t to = -1) {
    for (std::int64_t step = from; step < (to < 0 ? pruner->steps() : to); ++step) pruner->step(step);
  }
  // Goes on where another one is.
  void restore(Pruned& from) {
    State saved;
    from.model.state(saved);
    from.pruner->state(saved);
    std::map<std::string, std::uint64_t> sizes;
    for (const NamedBytes& part : saved.parts()) sizes[part.name] = part.bytes.size();
    State restored(sizes);
    model.state(restored);
    pruner->state(restored);
    for (std::size_t i = 0; i < saved.parts().size(); ++i)
      std::copy(saved.parts()[i].bytes.begin(), saved.parts()[i].bytes.end(), restored.parts()[i].bytes.begin());
  }

  Threads team;
  PruneModel model;
  std::unique_ptr<Pruner> pruner;
};

}  // namespace frugal::prune_tests
