// What every run has, whatever its job.
#pragma once
#include <string>
#include <vector>

#include "frugal/base/config.h"

namespace frugal {

struct RunConfig {
  std::string out, resume;
  std::int64_t seed = 1, seeds = 1, threads = 0;
  std::vector<std::string> sweep;
  std::int64_t checkpoint_every = 50, eval_every = 0, keep = 2;
  Bytes memory;
  bool trust_damaged = false, dry_run = false, json = false, quiet = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "seed", .help = "of every random number of the run; any value >= 0", .group = "run"}, c.seed);
    v({.name = "seeds", .help = "runs with as many seeds, from --seed on, >= 1", .group = "run"}, c.seeds);
    v({.name = "sweep",
       .help =
           "a run for each value of an option, one thread each: window=5,10,20 or noise=0:0.5:0.1 (from, to, step); "
           "given again, every pair of values",
       .group = "run"},
      c.sweep);
    v({.name = "eval_every", .help = "steps between evaluations; 0: as often as checkpoints", .group = "run"},
      c.eval_every);
    v({.name = "memory",
       .help =
           "what the whole process may take, like 700MiB; the run stops and saves before it takes more; 0: no limit",
       .group = "budget"},
      c.memory);
    v({.name = "threads",
       .help = "threads that compute; 0: as many as serve the job, at most one a core",
       .group = "budget"},
      c.threads);
    v({.name = "checkpoint_every", .help = "steps between snapshots, >= 1", .group = "output"}, c.checkpoint_every);
    v({.name = "keep", .help = "snapshots that stay beside the best one, the newest, >= 1", .group = "output"}, c.keep);
    v({.name = "out", .help = "the run's folder; must not be there yet", .group = "output"}, c.out);
    v({.name = "resume", .help = "a run's folder to go on with; needs nothing else", .group = "output"}, c.resume);
    v({.name = "trust_damaged",
       .help = "with --resume: believe a record whose checksum does not agree, and forget what lies behind a damaged "
               "line of events.jsonl; look at both first",
       .group = "output"},
      c.trust_damaged);
    v({.name = "dry_run", .help = "check everything, say what memory it takes, and stop", .group = "output"},
      c.dry_run);
    v({.name = "json", .help = "results and errors as JSON on stdout", .group = "output"}, c.json);
    v({.name = "quiet", .help = "no notes and no progress on stderr", .group = "output"}, c.quiet);
  }
};

inline void validate(const RunConfig& c) {
  require_setting(c.seed >= 0, "--seed", c.seed, "at least 0", "--seed 1 is usual");
  require_setting(c.seeds >= 1, "--seeds", c.seeds, "at least 1", "--seeds 3 shows the spread");
  require_setting(c.threads >= 0 && c.threads <= 1024, "--threads", c.threads, "0 to 1024",
                  "--threads 0 leaves it to the job");
  require_setting(c.checkpoint_every >= 1, "--checkpoint-every", c.checkpoint_every, "at least 1",
                  "--checkpoint-every 1 is the least");
  require_setting(c.keep >= 1 && c.keep <= 1000000, "--keep", c.keep, "1 to 1000000", "--keep 2 is safe");
  require_setting(c.eval_every >= 0, "--eval-every", c.eval_every, "at least 0", "--eval-every 0 is as checkpoints");
}

}  // namespace frugal
