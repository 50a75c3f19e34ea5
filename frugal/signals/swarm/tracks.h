// Tracks as csv: run, tactic (may be missing), step, agent, px, py, vx, vy; one line an agent and step, sorted by run,
// step and agent. No LibTorch.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/signals/swarm/corpus.h"

namespace frugal::swarm {

class TracksWriter {
 public:
  explicit TracksWriter(const std::filesystem::path& path);
  void write(std::int64_t run, Tactic tactic, const Track& track);  // steps from 0, agents from 1
  void commit() { file_.commit(); }
  std::uint64_t size() const { return file_.size(); }

 private:
  AtomicFile file_;
  std::string lines_;
};

struct Tracks {
  struct Run {
    std::int64_t name = 0;
    std::int32_t tactic = -1;  // -1: the file has no such column
    std::int64_t steps = 0;
    std::size_t first = 0;  // of its values
  };
  std::string file;
  std::int64_t agents = 0;
  bool has_tactics = false;
  std::vector<Run> runs;
  std::vector<float> values;  // a run's [steps, 4 agents] behind the other
};

// Error(Exit::input) with the line: a column missing, twice or unknown, a field that is no number or not finite, an
// unknown tactic, a run, step or agent out of order, runs of different numbers of agents, more than 1000 agents, no
// run.
Tracks read_tracks(const std::filesystem::path& path);
Tracks parse_tracks(std::string_view text, const std::string& name);

// Agents of the first run, from the beginning of the file: to refuse a file before all of it is read.
std::int64_t agents_of(const std::filesystem::path& path);

// How many of the runs begin where the attackers of an engagement of the seeds 1 to `seeds` begin, to the bit of a
// float: a start depends on the seed alone, not on the tactic. Microseconds a seed.
std::int64_t count_known(const Tracks& tracks, const EngagementConfig& config, std::int64_t seeds);

// The first `most` steps of every run, or of as many as the shortest has. Error(Exit::input): a run has under `least`.
Corpus corpus_of(const Tracks& tracks, std::int64_t least, std::int64_t most);

}  // namespace frugal::swarm
