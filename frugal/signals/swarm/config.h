// Options of the actions of `frugal swarm`; no LibTorch. Those that a model brings along are in model_config.h.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/base/config.h"
#include "frugal/base/new_file.h"
#include "frugal/signals/swarm/model_config.h"
#include "frugal/signals/swarm/simulator.h"

namespace frugal::swarm {

struct EngagementOptions {
  std::int64_t agents = 10, decoys = 0;
  std::string motion = "star";
  bool random_start = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "agents", .help = "attackers, who are observed, 1 to 1000", .group = "data"}, c.agents);
    v({.name = "decoys", .help = "what they attack, up to 1000; 0: as many as attackers", .group = "data"}, c.decoys);
    v({.name = "motion",
       .help = "where decoys head",
       .group = "data",
       .choices = {"star", "str", "perL", "perR", "semi", "zero"}},
      c.motion);
    v({.name = "random_start", .help = "decoys come from any bearing", .group = "data"}, c.random_start);
  }
  EngagementConfig engagement() const {
    return {.attackers = static_cast<int>(agents),
            .decoys = static_cast<int>(decoys == 0 ? agents : decoys),
            .motion = parse_motion(motion),
            .random_start = random_start};
  }
};

inline void validate(const EngagementOptions& c) {
  require_setting(c.agents >= 1 && c.agents <= 1000, "--agents", c.agents, "1 to 1000", "--agents 10 is the paper's");
  require_setting(c.decoys >= 0 && c.decoys <= 1000, "--decoys", c.decoys, "0 to 1000",
                  "--decoys 0 is as many as agents");
  parse_motion(c.motion);
}

struct SimulateConfig {
  EngagementOptions engagement;
  std::vector<std::string> tactics = {"greedy", "greedy+", "auction", "auction+"};
  std::int64_t runs = 100, seed = 1, steps = 0, threads = 0;
  std::string out;
  bool json = false, quiet = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "runs", .help = "engagements of each tactic, 1 to 1000000", .group = "data"}, c.runs);
    v({.name = "seed",
       .help = "of the first engagement; the others have the seeds behind it. A run of train has seen those up to its "
               "--runs: begin above it for tracks that are new to it",
       .group = "data"},
      c.seed);
    v({.name = "tactics", .help = "of greedy, greedy+, auction, auction+", .group = "data"}, c.tactics);
    EngagementOptions::fields(c.engagement, v);
    v({.name = "steps", .help = "rows kept of an engagement; 0: all, until no decoy is alive", .group = "data"},
      c.steps);
    v({.name = "threads", .help = "threads that simulate; 0: one a core", .group = "budget"}, c.threads);
    v({.name = "out",
       .help = "the csv file: run, tactic, step, agent, px, py, vx, vy; must not be there yet",
       .group = "output"},
      c.out);
    v({.name = "json", .help = "results and errors as JSON on stdout", .group = "output"}, c.json);
    v({.name = "quiet", .help = "no notes and no progress on stderr", .group = "output"}, c.quiet);
  }
};

inline void validate(const SimulateConfig& c) {
  require_setting(c.runs >= 1 && c.runs <= 1000000, "--runs", c.runs, "1 to 1000000", "--runs 100 takes a second");
  require_setting(c.seed >= 0 && c.seed + c.runs <= std::int64_t{1} << 32, "--seed", c.seed,
                  "0 to 4294967296 less --runs", "--seed 1 is usual");
  require_setting(c.steps >= 0 && c.steps <= 5001, "--steps", c.steps, "0 to 5001", "--steps 0 keeps all");
  require_setting(c.threads >= 0 && c.threads <= 1024, "--threads", c.threads, "0 to 1024",
                  "--threads 0 is one a core");
  require_setting(!c.tactics.empty(), "--tactics", c.tactics, "at least one", "--tactics greedy,auction");
  for (const auto& tactic : c.tactics) parse_tactic(tactic);
  validate(c.engagement);
  require_setting(!c.out.empty(), "--out", c.out, "a file's name", "--out tracks.csv");
  require_new_file("--out", c.out);
}

// What a run of `train` has whatever its model: the options in the help.
struct TrainOptions {
  EngagementOptions engagement;
  std::int64_t runs = 1200, window = 20;
  double noise = 0;
  std::string features = "pv";
  double test_fraction = 0.25, validation_fraction = 0.2;
  std::string model = "cnn", variant = "default", output = "mc", length = "vec";
  double lr = 1e-4, min_delta = 1e-4;
  std::int64_t batch = 50, epochs = 1000, patience = 50;
  bool reshuffle = true, permute_agents = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "runs", .help = "engagements of each tactic, with the seeds 1 to this, 4 to 1000000", .group = "data"},
      c.runs);
    EngagementOptions::fields(c.engagement, v);
    v({.name = "window",
       .help = "steps observed, >= 1; more than the shortest engagement has: all that it has",
       .group = "data"},
      c.window);
    v({.name = "noise",
       .help = "standard deviation of positions as a share of 40, of velocities of 1; 0 to 10",
       .group = "data"},
      c.noise);
    v({.name = "features",
       .help = "positions and velocities, or one of them",
       .group = "data",
       .choices = {"pv", "p", "v"}},
      c.features);
    v({.name = "test_fraction", .help = "share of engagements that are tested on, in (0, 1)", .group = "data"},
      c.test_fraction);
    v({.name = "validation_fraction",
       .help = "share of the others that decides when to stop, in (0, 1)",
       .group = "data"},
      c.validation_fraction);
    v({.name = "model",
       .help = "the network",
       .group = "model",
       .choices = {"fc", "cnn", "fcn", "res", "lstm", "tr", "sets"}},
      c.model);
    v({.name = "variant",
       .help = "tuned: sizes that the authors' search found for this output and window, where not given",
       .group = "model",
       .choices = {"default", "tuned"}},
      c.variant);
    v({.name = "output",
       .help = "mc: one of four tactics; ml: two attributes; mh: both",
       .group = "model",
       .choices = {"mc", "ml", "mh"}},
      c.output);
    v({.name = "length",
       .help = "one prediction a window, or (lstm, tr) one a step",
       .group = "model",
       .choices = {"vec", "seq"}},
      c.length);
    v({.name = "lr", .help = "step size of Adam, > 0", .group = "method"}, c.lr);
    v({.name = "batch", .help = "engagements a step of Adam, >= 1", .group = "method"}, c.batch);
    v({.name = "epochs", .help = "passes over the training set at most, >= 1", .group = "method"}, c.epochs);
    v({.name = "patience",
       .help = "epochs without a lower validation loss after which to stop, >= 1",
       .group = "method"},
      c.patience);
    v({.name = "min_delta", .help = "how much lower counts, >= 0", .group = "method"}, c.min_delta);
    v({.name = "reshuffle",
       .help = "a new order each epoch; off, as the authors trained: one order",
       .group = "method"},
      c.reshuffle);
    v({.name = "permute_agents", .help = "another order of agents for each batch", .group = "method"},
      c.permute_agents);
  }
};

inline void validate(const TrainOptions& c) {
  require_setting(c.runs >= 4 && c.runs <= 1000000, "--runs", c.runs, "4 to 1000000", "--runs 1200 is the paper's");
  validate(c.engagement);
  require_setting(c.window >= 1, "--window", c.window, "at least 1", "--window 20 is the paper's");
  require_setting(c.window >= 2 || (c.model != "fcn" && c.model != "res"), "--window", c.window,
                  "at least 2, since the batch norm of fcn and res needs more than one value a channel",
                  "--window 20 is the paper's");
  require_setting(c.noise >= 0 && c.noise <= 10, "--noise", c.noise, "0 to 10", "--noise 0.1 is a tenth");
  require_setting(c.test_fraction > 0 && c.test_fraction < 1, "--test-fraction", c.test_fraction, "a number in (0, 1)",
                  "--test-fraction 0.25 is the paper's");
  require_setting(c.validation_fraction > 0 && c.validation_fraction < 1, "--validation-fraction",
                  c.validation_fraction, "a number in (0, 1)", "--validation-fraction 0.2 is the paper's");
  const auto tested = static_cast<std::int64_t>(c.test_fraction * static_cast<double>(c.runs));
  require_setting(tested >= 1 && tested < c.runs, "--test-fraction", c.test_fraction,
                  "some of --runs tested and some not", "more --runs");
  const auto kept = 4 * (c.runs - tested);
  const auto held = static_cast<std::int64_t>(c.validation_fraction * static_cast<double>(kept));
  require_setting(held >= 1 && held < kept, "--validation-fraction", c.validation_fraction,
                  "some engagements for training and for validation", "more --runs");
  require_setting(c.lr > 0 && c.lr <= 10, "--lr", c.lr, "a number in (0, 10]", "--lr 1e-4 is the paper's");
  require_setting(c.batch >= 1 && c.batch <= 1000000, "--batch", c.batch, "1 to 1000000", "--batch 50 is the paper's");
  require_setting(c.epochs >= 1 && c.epochs <= 1000000, "--epochs", c.epochs, "1 to 1000000", "--epochs 60 is quick");
  require_setting(c.patience >= 1, "--patience", c.patience, "at least 1", "--patience 50 is the paper's");
  require_setting(c.min_delta >= 0, "--min-delta", c.min_delta, "at least 0", "--min-delta 1e-4 is the paper's");
  require_setting(c.length != "seq" || c.model == "lstm" || c.model == "tr", "--length", c.length,
                  ("vec for --model " + c.model + "; seq goes with lstm and tr").c_str(), "--model lstm --length seq");
}

// The whole of a run's settings: with the sizes of its model.
struct TrainConfig : TrainOptions {
  tsc::ModelConfig sizes;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    TrainOptions::fields(c, v);
    c.sizes.visit(c.model, v);  // c.model has been read
  }
};

inline void validate(const TrainConfig& c) {
  validate(static_cast<const TrainOptions&>(c));
  validate(c.sizes, c.model);
}

struct EvaluateConfig {
  std::string run, data, out;
  double noise = 0;
  std::int64_t seed = 1, threads = 0;
  bool json = false, quiet = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "run", .help = "the folder of a run of `swarm train`", .group = "arguments"}, c.run);
    v({.name = "data",
       .help = "a csv file: run, tactic (may be missing), step, agent, px, py, vx, vy",
       .group = "data"},
      c.data);
    v({.name = "noise",
       .help = "added to the tracks: a share of 40 for positions and of 1 for velocities; 0 to 10",
       .group = "data"},
      c.noise);
    v({.name = "seed", .help = "of that noise, >= 0", .group = "data"}, c.seed);
    v({.name = "threads",
       .help = "threads that compute; 0: one, which is fastest for most of these models",
       .group = "budget"},
      c.threads);
    v({.name = "out",
       .help = "a csv file for predictions: run, tactic, probability, communicates, leads; must not be there yet",
       .group = "output"},
      c.out);
    v({.name = "json", .help = "results and errors as JSON on stdout", .group = "output"}, c.json);
    v({.name = "quiet", .help = "no notes and no progress on stderr", .group = "output"}, c.quiet);
  }
};

inline void validate(const EvaluateConfig& c) {
  require_setting(!c.run.empty(), "RUN", c.run, "the folder of a run", "frugal swarm evaluate RUN --data tracks.csv");
  require_setting(!c.data.empty(), "--data", c.data, "a file of tracks",
                  "frugal swarm simulate --seed 2001 --out tracks.csv makes one");
  require_setting(c.noise >= 0 && c.noise <= 10, "--noise", c.noise, "0 to 10", "--noise 0.1 is a tenth");
  require_setting(c.seed >= 0, "--seed", c.seed, "at least 0", "--seed 1 is usual");
  require_setting(c.threads >= 0 && c.threads <= 1024, "--threads", c.threads, "0 to 1024", "--threads 0 is one");
  require_new_file("--out", c.out);
}

}  // namespace frugal::swarm
