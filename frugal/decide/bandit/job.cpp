// `frugal bandit run`: a simulation as a job. A step is a block of rounds of every policy and seed.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "frugal/base/parallel.h"
#include "frugal/base/sha256.h"
#include "frugal/decide/bandit/simulation.h"
#include "frugal/train/loop/job_table.h"

namespace frugal {
namespace bandit {
namespace {

constexpr std::int64_t kMostSteps = 200;

class BanditJob : public Job {
 public:
  BanditJob(const BanditRunConfig& config, const JobContext& context)
      : config_(config),
        simulation_(config, static_cast<std::uint64_t>(context.run.seed)),
        block_((config.horizon + kMostSteps - 1) / kMostSteps),
        threads_(threads_or_cores(context.run.threads)) {}

  std::int64_t steps() const override { return (config_.horizon + block_ - 1) / block_; }

  StepResult step(std::int64_t index) override {
    simulation_.advance(std::min(block_, config_.horizon - index * block_), threads_);
    StepResult result{.value = spread_of(simulation_.regrets(0)).mean};
    result.event["regret"] = result.value;
    return result;
  }

  void state(State& state, std::int64_t) override { simulation_.state(state); }

  // Files by their whole path, so that a run that goes on from another folder finds them, and by their hash.
  Json describe(Json& settings) override {
    Json files = Json::object();
    const auto settle = [&](const char* setting, const std::string& prefix, const char* file) {
      const std::string given = settings.at(setting).get<std::string>();
      if (given.empty() || !given.starts_with(prefix)) return;
      const std::string path = std::filesystem::absolute(given.substr(prefix.size())).lexically_normal().string();
      settings[setting] = prefix + path;
      files[file] = {{"path", path}, {"sha256", sha256_file(path)}};
    };
    settle("actions", "", "actions");
    settle("env", "replay:", "log");
    return {{"files", std::move(files)}};
  }

  Json evaluate(std::int64_t, Figures& figures) override {
    draw_regret(figures);
    draw_items(figures);
    draw_finals(figures);
    Json regrets = Json::object();
    for (std::size_t p = 0; p < simulation_.policies(); ++p)
      regrets[std::string(simulation_.name(p))] = spread_of(simulation_.regrets(p)).mean;
    return {{"data", "regret"}, {"regrets", std::move(regrets)}};
  }
  std::string shown(const Json& evaluation) const override {  // behind "round 5000: regret"
    std::string text;
    for (const auto& [name, regret] : evaluation.at("regrets").items()) {
      char one[80];
      std::snprintf(one, sizeof one, "%s %s %.2f", text.empty() ? "" : ",", name.c_str(), regret.get<double>());
      text += one;
    }
    return text;
  }
  StepUnit step_unit() const override { return {.name = "round", .each = block_, .last = config_.horizon}; }

  Finished finish(Ending&) override {
    Json all = Json::object();
    std::int64_t most = 0;
    for (std::size_t p = 0; p < simulation_.policies(); ++p) {
      const Spread regret = spread_of(simulation_.regrets(p));
      all[std::string(simulation_.name(p))] = {{"regret", regret.mean},
                                               {"sd", regret.sd},
                                               {"regrets", simulation_.regrets(p)},
                                               {"microseconds_per_round", simulation_.microseconds_per_round(p)}};
      if (const std::int64_t passes = simulation_.passes(p); passes > 0)
        all[std::string(simulation_.name(p))]["passes"] = passes, most = std::max(most, passes);
    }
    Json results = {{"regret", spread_of(simulation_.regrets(0)).mean},
                    {"rounds", simulation_.rounds()},
                    {"seeds", simulation_.seeds()}};
    if (most > 0) results["passes"] = most;
    results["policies"] = std::move(all);
    return {.results = std::move(results)};
  }

  const char* value_name() const override { return "regret"; }
  std::uint64_t growth_bytes(std::int64_t steps) const override {
    return static_cast<std::uint64_t>(steps) * 8 * (1 + simulation_.seeds() * simulation_.policies());
  }
  std::string budget_fix() const override { return "fewer --seeds, a shorter --horizon, or more --memory"; }
  std::string closing(const Json& results, const RunFolder&) const override {
    std::string text;
    for (const auto& [name, each] : results.at("policies").items()) {
      char line[160];
      std::snprintf(line, sizeof line, "%-12s regret %10.2f +- %.2f  %8.2f us a round\n", name.c_str(),
                    each.at("regret").get<double>(), each.at("sd").get<double>(),
                    each.at("microseconds_per_round").get<double>());
      text += line;
    }
    if (results.value("passes", 0) > 1) {
      text += "passes       " + results["passes"].dump() + " through the log of " +
              std::to_string(simulation_.environment(0).rounds()) + " rounds, each in another order\n";
    }
    return text;
  }

 private:
  void draw_regret(Figures& figures) const {
    Figure figure{.name = "regret",
                  .title = "Regret",
                  .x_name = "rounds",
                  .y_name = "reward",
                  .note = "Mean over " + std::to_string(simulation_.seeds()) +
                          " seeds. Band: one standard deviation over seeds on both sides.",
                  .is_log_y = spans_much()};
    for (std::size_t p = 0; p < simulation_.policies(); ++p) {
      Series series{.name = std::string(simulation_.name(p))};
      if (!figure.is_log_y) series.x = series.y = series.low = series.high = {0};
      for (std::size_t note = 0; note < simulation_.notes(); ++note) {
        const Spread regret = spread_of(simulation_.regrets(p, note));
        series.x.push_back(static_cast<double>(simulation_.noted_round(note)));
        series.y.push_back(regret.mean);
        series.low.push_back(regret.mean - regret.sd);
        series.high.push_back(regret.mean + regret.sd);
      }
      figure.series.push_back(std::move(series));
    }
    figures.add(figure);
  }

  // Policies whose regrets lie on a linear axis as one line at the top and one at the bottom.
  bool spans_much() const {
    double least = INFINITY, most = 0;
    for (std::size_t p = 0; p < simulation_.policies(); ++p) {
      const double mean = spread_of(simulation_.regrets(p)).mean;
      least = std::min(least, mean), most = std::max(most, mean);
    }
    return least > 0 && most > 20 * least;
  }

  void draw_items(Figures& figures) const {
    constexpr std::int32_t kMostRows = 100;
    const Statistics& s = simulation_.player(0, 0).statistics();
    FigureTable table{.name = "items",
                      .title = "Items as " + std::string(simulation_.name(0)) + " knows them",
                      .columns = {"item", "plays", "mean", "sd", "true mean"},
                      .note = "Of the first seed"};
    if (s.items() > kMostRows)
      table.note += "; the first " + std::to_string(kMostRows) + " of " + std::to_string(s.items()) + " items";
    table.note += ".";
    for (std::int32_t i = 0; i < std::min(s.items(), kMostRows); ++i)
      table.rows.push_back({i, static_cast<std::int64_t>(s.plays(i)), s.mean(i), std::sqrt(s.variance(i)),
                            simulation_.environment(0).means()[static_cast<std::size_t>(i)]});
    figures.add(table);
  }

  void draw_finals(Figures& figures) const {
    FigureTable table{
        .name = "policies",
        .title = "Policies",
        .columns = {"policy", "regret", "sd", "\xC2\xB5s a round"},
        .note = "Regret in units of reward, after " + std::to_string(simulation_.rounds()) +
                " rounds: mean and standard deviation over seeds. Microseconds: of one core, with drawing "
                "the rewards."};
    for (std::size_t p = 0; p < simulation_.policies(); ++p) {
      const Spread regret = spread_of(simulation_.regrets(p));
      table.rows.push_back(
          {std::string(simulation_.name(p)), regret.mean, regret.sd, simulation_.microseconds_per_round(p)});
    }
    figures.add(table);
  }

  BanditRunConfig config_;
  Simulation simulation_;
  std::int64_t block_;  // rounds a step
  int threads_;
};

}  // namespace
}  // namespace bandit

void register_job_decide_bandit(JobTable& table) {
  table.job<bandit::BanditRunConfig>("bandit run", [](const bandit::BanditRunConfig& c, const JobContext& context) {
    return std::make_unique<bandit::BanditJob>(c, context);
  });
}

}  // namespace frugal
