#include "frugal/base/room.h"
#include "frugal/base/system.h"
#include "frugal/signals/swarm/config.h"
#include "frugal/signals/swarm/model_card.h"
#include "frugal/signals/swarm/simulate.h"

namespace frugal {
namespace {
using namespace swarm;

// Of the tuned variant: the model's sizes that were not given are those of the authors' search.
Checked check_train(const Settings& settings) {
  Json values = settings.values();
  auto config = from_json<TrainConfig>(values);
  Json facts = Json::object();
  if (config.variant == "tuned") {
    const Json sizes = tsc::tuned_sizes(config.model, config.output, config.length, config.window);
    require_setting(!sizes.is_null(), "--variant", config.variant, ("default for --model " + config.model).c_str(),
                    "its tuned sizes are not published; give sizes of your own");
    for (const auto& [key, value] : sizes.items()) {
      if (!settings.is_given(key)) values[key] = value;
    }
    facts["tuned"] = sizes;
    config = from_json<TrainConfig>(values);
  }
  validate(config);
  return {std::move(values), std::move(facts)};
}

Action train_action() {
  Action action = describe_run<TrainOptions>("train", "train a classifier of tactics on simulated engagements",
                                             {{"model", tsc::models}});
  action.check = check_train;
  action.depends_on_threads = true;
  action.next = {{"frugal swarm evaluate RUN --data tracks.csv",
                  "tell tactics of tracks; frugal swarm simulate --seed, from above --runs, makes some that it has not "
                  "seen"}};
  action.trial = "--runs 60 --agents 3 --window 12 --filters 8 --kernels 3 --lr 1e-3 --epochs 40 --patience 40";
  return action;
}

struct SweepOptions {
  std::vector<std::string> over;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "over",
       .help = "a run for each value: window=5,10,20,40,58, noise=0:0.5:0.1 (from, to, step), agents=10,25,50",
       .group = "data"},
      c.over);
  }
};

Action sweep_action() {
  Action action = train_action();
  action.name = "sweep";
  action.summary = "train over values of an option: accuracy against window, noise or agents";
  action.sweeps = "train";
  action.next = {};
  action.trial = {};
  const auto over = describe_fields<SweepOptions>();
  action.fields.insert(action.fields.begin(), over.begin(), over.end());
  return action;
}

int open_and_evaluate(const EvaluateConfig& config) {
  check_evaluation(config);
  return run_in_room(library_of("signals/swarm"), "swarm evaluate", {{"settings", to_json(config)}});
}

}  // namespace

void register_signals_swarm(SystemTable& table) {
  table.add(
      {.name = "swarm",
       .summary = "how a swarm behaves, from a few seconds of its tracks: simulate, train, evaluate",
       .source = "arXiv:2403.19572",
       .group = "signals",
       .examples = {"frugal swarm simulate --runs 100 --seed 2001 --out tracks.csv",
                    "frugal swarm train --runs 1200 --window 20 --model cnn --lr 5e-4 --epochs 60 --out runs/swarm",
                    "frugal swarm evaluate runs/swarm --data tracks.csv --json",
                    "frugal swarm sweep --over window=5,10,20,40,58 --epochs 60 --lr 5e-4 --out runs/windows"},
       .actions = {train_action(), sweep_action(),
                   describe_action<SimulateConfig>("simulate", "write tracks of simulated engagements", run_simulate),
                   describe_action<EvaluateConfig>("evaluate", "tell tactics from tracks with a trained classifier",
                                                   open_and_evaluate)},
       .metrics = {{"accuracy", ""},
                   {"communicates", ""},
                   {"leads", ""},
                   {"attribute_heads", ""},
                   {"agreement", ""},
                   {"loss", "nats", false},
                   {"validation_accuracy", ""},
                   {"validation_loss", "nats", false}}});
}

}  // namespace frugal
