// frugal bench step: what one step costs, on random tokens with the language-model loss on every token.
#include <algorithm>
#include <cstdio>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/philox.h"
#include "frugal/base/progress.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/train/zeroth_order/engine.h"
#include "frugal/verbs/verbs.h"

namespace frugal {
namespace {

// Mean loss of each branch over all tokens of `batch`.
std::vector<double> language_losses(Decoder& decoder, const WeightView& view, const PackedBatch& batch,
                                    const std::vector<Decoder::Query>& queries) {
  decoder.forward(view, batch);
  const auto values = decoder.log_probabilities(view, queries);
  std::vector<double> losses(static_cast<std::size_t>(view.branches()), 0);
  for (std::size_t i = 0; i < values.size(); ++i) losses[i / queries.size()] -= values[i] / static_cast<double>(queries.size());
  return losses;
}

}  // namespace

int run_bench_step(const Json& settings) {
  const std::string method = option(settings, "method");
  Session session(settings);
  const auto sequences = settings.value("batch", std::int64_t{8}), length = settings.value("length", std::int64_t{128});
  const auto steps = settings.value("repeats", std::int64_t{7});
  PhiloxSequence random(1, Stream::initial);
  PackedBatch batch;
  std::vector<Decoder::Query> queries;
  for (std::int64_t s = 0; s < sequences; ++s) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(length));
    for (auto& id : ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(session.store.shape().vocab)));
    const std::int64_t first = batch.size();
    batch.append(ids);
    for (std::int64_t t = 0; t + 1 < length; ++t) queries.push_back({first + t, ids[static_cast<std::size_t>(t) + 1]});
  }
  std::unique_ptr<ZerothOrderEngine> engine;
  if (method != "forward") {
    TunerRegistry tuners;
    register_tuners(tuners);
    const TunerMaker& maker = tuners.at(method);
    if (!maker.zeroth_order) throw Error(Exit::usage, "--method is " + method + ", which bench step cannot time yet", "choose forward or a zeroth-order method");
    engine = std::make_unique<ZerothOrderEngine>(session.store, session.threads, maker.zeroth_order(settings));
  }
  double loss = 0;
  std::vector<double> times;
  Progress progress(static_cast<std::uint64_t>(steps) + 1, "steps");
  for (std::int64_t step = 0; step <= steps; ++step) {  // the first is not counted
    throw_if_interrupted();
    const auto began = std::chrono::steady_clock::now();
    if (engine) {
      const auto estimate = engine->estimate(static_cast<std::uint64_t>(step), [&](const WeightView& view) {
        const auto both = language_losses(session.decoder, view, batch, queries);
        return ZerothOrderEngine::BranchLosses{both[0], both[1]};
      });
      engine->update(static_cast<std::uint64_t>(step), 1e-7f, estimate.projected_gradients);
      loss = estimate.loss;
    } else {
      loss = language_losses(session.decoder, session.view, batch, queries)[0];
    }
    if (step > 0) times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    progress.update(static_cast<std::uint64_t>(step) + 1);
  }
  std::sort(times.begin(), times.end());
  std::uint64_t weight_bytes = 0;
  for (std::size_t id = 0; id < session.store.size(); ++id) {
    if (session.store.type(id) != WeightType::stored) weight_bytes += session.store.bytes(id).size();
  }
  const Json result = {{"method", method},
                       {"seconds_median", times[times.size() / 2]},
                       {"seconds_min", times.front()},
                       {"seconds_max", times.back()},
                       {"steps", steps},
                       {"tokens", batch.size()},
                       {"loss", loss},
                       {"threads", session.threads.count()},
                       {"compute", name(session.decoder.compute())},
                       {"isa", kernels::isa()},
                       {"weight_bytes", weight_bytes},
                       {"peak_rss_bytes", peak_rss_bytes()},
                       {"floor_rss_bytes", session.floor_bytes}};
  if (settings.value("json", false)) {
    print_line(result.dump());
  } else {
    std::printf("%s  median %.3f s  min %.3f s  loss %.4f  peak %s (floor %s, weights %s)\n", method.c_str(), times[times.size() / 2], times.front(),
                loss, format_bytes(peak_rss_bytes()).c_str(), format_bytes(session.floor_bytes).c_str(), format_bytes(weight_bytes).c_str());
  }
  return 0;
}

}  // namespace frugal
