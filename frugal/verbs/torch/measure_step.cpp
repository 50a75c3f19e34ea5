#include "frugal/verbs/torch/measure_step.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/philox.h"
#include "frugal/base/progress.h"
#include "frugal/core/budget/guard.h"
#include "frugal/plan/choices.h"
#include "frugal/train/objective/sequence_loss.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/verbs/torch/tune_data.h"

namespace frugal {
namespace {

// `count` sequences of `length` random tokens, every one of them a target.
std::vector<Sequence> random_sequences(std::size_t count, std::size_t length, std::int64_t vocab) {
  PhiloxSequence random(1, Stream::initial);
  std::vector<Sequence> data(count);
  for (Sequence& sequence : data) {
    sequence.tokens.resize(length);
    for (auto& id : sequence.tokens) id = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(vocab)));
    sequence.is_target.assign(length, 1);
  }
  return data;
}

// Of this process so far.
struct DiskReads {
  std::uint64_t bytes = 0;   // from storage (/proc/self/io); what the page cache holds is not read
  std::uint64_t faults = 0;  // pages a thread had to wait for
};
DiskReads disk_reads() {
  DiskReads reads;
  std::ifstream io("/proc/self/io");
  for (std::string key; io >> key;) {
    if (key == "read_bytes:") io >> reads.bytes;
  }
  struct rusage usage {};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) reads.faults = static_cast<std::uint64_t>(usage.ru_majflt);
  return reads;
}

}  // namespace

Json measure_step(const MeasuredStep& c, const Json& settings) {
  const bool is_random = c.data.data.empty();
  const bool is_forward = c.method == "forward";
  Session session({c.model, c.compute, c.memory, choices_of(settings).file_window,
                   is_forward ? from_json<AdapterConfig>(settings) : AdapterConfig()},
                  !is_random);
  const std::int64_t steps = c.repeats;
  std::vector<Sequence> random;
  std::optional<TuneData> file;
  std::optional<SequenceLoss> loss_of_random;
  if (is_random) {
    random = random_sequences(static_cast<std::size_t>(c.batch), static_cast<std::size_t>(c.length),
                              session.store.shape().vocab);
    loss_of_random.emplace(session.decoder, random);
  } else {
    file.emplace(c.data, from_json<ObjectiveConfig>(settings).objective, session);
  }
  Objective& objective = file ? file->train() : *loss_of_random;
  std::vector<std::uint32_t> batch(objective.size());
  std::iota(batch.begin(), batch.end(), 0u);
  Json chosen;
  std::unique_ptr<Tuner> tuner;
  if (!is_forward) {
    TunerRegistry tuners;
    register_tuners(tuners);
    TunerContext context{session.store, session.threads, &objective, chosen, run_settings(settings)};
    tuner = tuners.at(c.method)(settings, context);
  }
  double loss = 0;
  std::vector<double> times;
  std::vector<int> team;
  BudgetGuard guard(c.memory, "give more --memory, or a smaller --batch");
  std::uint64_t streamed = 0;  // before the steps that count
  const auto entered = [&] { return session.store.window() == nullptr ? 0 : session.store.window()->entered_bytes(); };
  DiskReads disk;
  Progress progress(static_cast<std::uint64_t>(steps) + 1, "steps");
  for (std::int64_t step = 0; step <= steps; ++step) {  // the first is not counted
    throw_if_interrupted();
    const auto began = std::chrono::steady_clock::now();
    if (tuner)
      loss = tuner->step(static_cast<std::uint64_t>(step), 1e-7, batch).loss;
    else
      loss = objective.loss_sums(session.view(), batch)[0] / objective.terms(batch);
    if (step > 0) {
      times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
      team.push_back(session.threads.members());
    }
    if (step == 0) {
      disk = disk_reads();
      streamed = entered();
    }
    guard.check("a step");
    progress.update(static_cast<std::uint64_t>(step) + 1);
  }
  std::vector<double> sorted = times;
  std::sort(sorted.begin(), sorted.end());
  std::uint64_t weight_bytes = 0;
  for (std::size_t id = 0; id < session.store.size(); ++id) {
    if (session.store.type(id) != WeightType::stored) weight_bytes += session.store.bytes(id).size();
  }
  return {{"method", c.method},
          {"seconds_median", sorted[sorted.size() / 2]},
          {"seconds_min", sorted.front()},
          {"seconds_max", sorted.back()},
          {"seconds", times},
          {"steps", steps},
          {"sequences", batch.size()},
          {"tokens", c.tokens > 0 ? c.tokens : c.batch * c.length},
          {"targets", objective.terms(batch)},
          {"loss", loss},
          {"threads", session.threads.count()},
          {"team", team},
          {"compute", name(session.decoder.compute())},
          {"isa", kernels::isa()},
          {"weight_bytes", weight_bytes},
          {"peak_rss_bytes", peak_rss_bytes()},
          {"floor_rss_bytes", session.floor_bytes},
          {"file_bytes", session.source->file_bytes()},
          {"window_bytes", session.store.window() == nullptr ? 0 : session.store.window()->limit()},
          {"streamed_bytes", (entered() - streamed) / static_cast<std::uint64_t>(steps)},
          {"disk_bytes", (disk_reads().bytes - disk.bytes) / static_cast<std::uint64_t>(steps)},
          {"page_faults", (disk_reads().faults - disk.faults) / static_cast<std::uint64_t>(steps)}};
}

}  // namespace frugal
