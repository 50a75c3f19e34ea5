#include "frugal/signals/swarm/simulate.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "frugal/base/interrupt.h"
#include "frugal/base/parallel.h"
#include "frugal/base/progress.h"
#include "frugal/base/units.h"
#include "frugal/signals/swarm/tracks.h"

namespace frugal::swarm {

Json simulate_tracks(const SimulateConfig& c) {
  catch_interrupts();  // nothing half-written is left behind
  const auto began = std::chrono::steady_clock::now();
  const EngagementConfig engagement = c.engagement.engagement();
  const int threads = threads_or_cores(c.threads);
  const auto tactics = static_cast<std::int64_t>(c.tactics.size()), all = tactics * c.runs;
  constexpr std::int64_t kAtOnce = 64;  // engagements held before they are written
  TracksWriter writer(c.out);
  Progress progress(static_cast<std::uint64_t>(all), "run");
  Json summary = Json::array();
  std::int64_t rows = 0, done = 0;
  for (const std::string& text : c.tactics) {
    const Tactic tactic = parse_tactic(text);
    std::int64_t shortest = 1 << 30, longest = 0, sum = 0;
    for (std::int64_t first = 0; first < c.runs; first += kAtOnce) {
      std::vector<Track> tracks(static_cast<std::size_t>(std::min(kAtOnce, c.runs - first)));
      in_parallel(static_cast<std::int64_t>(tracks.size()), threads, [&](std::int64_t k) {
        throw_if_interrupted();
        const auto seed = static_cast<std::uint32_t>(c.seed + first + k);
        tracks[static_cast<std::size_t>(k)] = simulate(engagement, tactic, seed, static_cast<int>(c.steps));
      });
      for (const Track& track : tracks) {
        writer.write(++done, tactic, track);
        shortest = std::min<std::int64_t>(shortest, track.steps);
        longest = std::max<std::int64_t>(longest, track.steps);
        sum += track.steps;
      }
      progress.update(static_cast<std::uint64_t>(done));
    }
    rows += sum * c.engagement.agents;
    summary.push_back({{"tactic", text},
                       {"shortest", shortest},
                       {"mean", static_cast<double>(sum) / static_cast<double>(c.runs)},
                       {"longest", longest}});
  }
  const std::uint64_t bytes = writer.size();
  writer.commit();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  return {{"out", c.out},      {"runs", done}, {"rows", rows}, {"bytes", bytes}, {"seconds", took.count()},
          {"tactics", summary}};
}

int run_simulate(const SimulateConfig& c) {
  const Json result = simulate_tracks(c);
  if (c.json) {
    std::printf("%s\n", result.dump().c_str());
    return 0;
  }
  std::printf("%-10s %10s %10s %10s\n", "steps", "shortest", "mean", "longest");
  for (const Json& row : result["tactics"]) {
    std::printf("%-10s %10lld %10.1f %10lld\n", row["tactic"].get<std::string>().c_str(),
                row["shortest"].get<long long>(), row["mean"].get<double>(), row["longest"].get<long long>());
  }
  std::printf("%s: %lld engagements, %s\n", c.out.c_str(), result["runs"].get<long long>(),
              format_bytes(result["bytes"].get<std::uint64_t>()).c_str());
  return 0;
}

}  // namespace frugal::swarm
