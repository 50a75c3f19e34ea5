#include "frugal/signals/swarm/torch/train_job.h"

#include <gtest/gtest.h>

#include <cstring>

#include "frugal/base/atomic_file.h"
#include "frugal/signals/swarm/simulate.h"
#include "frugal/signals/swarm/torch/evaluate.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal::swarm {
namespace {

TrainConfig small_config(Json more = Json::object()) {
  Json settings = {{"runs", 40}, {"agents", 3}, {"window", 12}, {"lr", 1e-3}, {"batch", 16}, {"epochs", 4}};
  settings.update(more);
  auto config = from_json<TrainConfig>(settings);
  validate(config);
  return config;
}

TrainJob make_job(const Json& more = Json::object(), std::int64_t seed = 1) {
  JobContext context;
  context.run.seed = seed, context.run.threads = 1;
  return TrainJob(small_config(more), context);
}

std::map<std::string, std::vector<std::byte>> saved(TrainJob& job, std::int64_t steps) {
  State state;
  job.state(state, steps);
  std::map<std::string, std::vector<std::byte>> all;
  for (const auto& part : state.parts()) {
    EXPECT_TRUE(all.emplace(part.name, std::vector(part.bytes.begin(), part.bytes.end())).second) << part.name;
  }
  return all;
}

void restore(TrainJob& job, const std::map<std::string, std::vector<std::byte>>& all) {
  std::map<std::string, std::uint64_t> sizes;
  for (const auto& [name, bytes] : all) sizes[name] = bytes.size();
  State state(sizes);
  job.state(state, 0);
  ASSERT_EQ(state.parts().size(), all.size());
  for (const auto& part : state.parts()) {
    ASSERT_EQ(part.bytes.size(), all.at(part.name).size());
    std::memcpy(part.bytes.data(), all.at(part.name).data(), part.bytes.size());
  }
}

// Acceptance item 11: for every model, stopped at each step and gone on with in a new job.
TEST(SwarmTrain, ResumedIsTheSameToTheBit) {
  for (const Json& model : {Json{{"model", "cnn"}, {"filters", {"6", "5"}}, {"kernels", {"3", "3"}}},
                            Json{{"model", "fc"}, {"output", "ml"}},
                            Json{{"model", "fcn"}, {"filters", {"6"}}, {"kernels", {"4"}}, {"dropout", 0.2}},
                            Json{{"model", "lstm"}, {"units", {"5"}}, {"output", "mh"}, {"length", "seq"}},
                            Json{{"model", "cnn"}, {"noise", 0.1}, {"permute_agents", true}},
                            Json{{"model", "tr"}, {"width", 8}, {"hidden", 6}, {"heads", 2}, {"reshuffle", false}}}) {
    TrainJob whole = make_job(model);
    for (std::int64_t k = 0; k < 2; ++k) whole.step(k);
    const auto half = saved(whole, 2);
    for (std::int64_t k = 2; k < whole.steps(); ++k) whole.step(k);
    const auto end = saved(whole, whole.steps());
    EXPECT_NE(end, half);
    TrainJob other = make_job(model);
    restore(other, half);
    Figures figures;
    other.evaluate(2, figures);
    for (std::int64_t k = 2; k < other.steps(); ++k) other.step(k);
    EXPECT_EQ(saved(other, other.steps()), end) << model.dump();
    TrainJob another = make_job(model, 2), same = make_job(model);
    EXPECT_NE(saved(another, 0), saved(same, 0));
  }
}

TEST(SwarmTrain, StateHasEveryPart) {
  TrainJob job = make_job({{"model", "fcn"}, {"filters", {"6"}}, {"kernels", {"4"}}});
  const auto all = saved(job, 0);
  for (const char* name :
       {"position", "trunk.layer0_conv.weight", "adam.first.trunk.layer0_conv.weight", "adam.second.classes.bias",
        "best.classes.bias", "trunk.layer0_norm.running_mean", "best.trunk.layer0_norm.running_var"})
    EXPECT_TRUE(all.contains(name)) << name;
}

TEST(SwarmTrain, StopsEarlyAndLeavesTheRestAlone) {
  TrainJob job = make_job({{"epochs", 50}, {"patience", 2}, {"min_delta", 100}});
  EXPECT_EQ(job.steps(), 50);
  std::int64_t k = 0;
  for (; k < job.steps(); ++k) job.step(k);
  EXPECT_EQ(k, 3);  // the first is the best; two more bring nothing that counts
  const auto end = saved(job, k);
  job.step(k);
  EXPECT_EQ(saved(job, k), end);
}

TEST(SwarmTrain, LearnsAndItsFilesAreEnoughToEvaluate) {
  const TemporaryFolder folder;
  TrainJob job = make_job({{"runs", 120}, {"agents", 5}, {"epochs", 30}, {"window", 30}});
  double first = 0, last = 0;
  for (std::int64_t k = 0; k < job.steps(); ++k) (k == 0 ? first : last) = job.step(k).value;
  EXPECT_LT(last, 0.7 * first);
  RunFolder run = RunFolder::create(folder / "run", Json::object());
  run.keep();
  Figures figures;
  Ending ending{.folder = run, .figures = figures};
  const Finished finished = job.finish(ending);
  EXPECT_GT(finished.results["accuracy"].get<double>(), 0.5);  // chance is 0.25; 120 runs, 5 standard errors are 0.2
  EXPECT_EQ(finished.weights_sha256.size(), 64u);
  EXPECT_EQ(finished.results["best"]["metric"], finished.results["validation_loss"]);
  Json results = finished.results;
  results.update({{"steps", job.steps()}, {"seconds", 3.0}, {"peak_rss_bytes", 1 << 20}});
  const std::string said_at_end = job.closing(results, run);
  for (const char* part : {"accuracy        0.", "one of four tactics (chance: 0.25)", "(chance: 0.50)", " nats\n",
                           "next: frugal swarm evaluate ", "--seed 121 --agents 5 --out tracks.csv"})
    EXPECT_NE(said_at_end.find(part), std::string::npos) << part << "\n" << said_at_end;
  const Json options = to_json(small_config());
  for (const auto& [key, value] : finished.results.items()) EXPECT_FALSE(options.contains(key)) << key;
  EXPECT_EQ(figures.take().size(), 3u);

  SimulateConfig simulated;
  simulated.runs = 40, simulated.seed = 1000, simulated.engagement.agents = 5;
  simulated.out = (folder / "tracks.csv").string();
  simulate_tracks(simulated);
  EvaluateConfig config{.run = (folder / "run").string(), .data = simulated.out, .out = (folder / "said.csv").string()};
  const Json result = evaluate_tracks(config);
  EXPECT_EQ(result["runs"], 160);
  EXPECT_EQ(result["known"], 0);
  EXPECT_GT(result["accuracy"].get<double>(), 0.5);
  EXPECT_EQ(evaluate_tracks(config), result);
  config.noise = 5;
  EXPECT_LT(evaluate_tracks(config)["accuracy"].get<double>(), 0.45);
  const std::string said = read_file(folder / "said.csv");
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 161);

  // Tracks of the seeds that it was trained on are found, and said to be so.
  config.noise = 0;
  SimulateConfig seen = simulated;
  seen.runs = 10, seen.seed = 115, seen.out = (folder / "seen.csv").string();  // 115 to 124, of which 120 was the last
  simulate_tracks(seen);
  EvaluateConfig again = config;
  again.data = seen.out, again.out = "";
  testing::internal::CaptureStderr();
  EXPECT_EQ(evaluate_tracks(again)["known"], 6 * 4);
  const std::string warned = testing::internal::GetCapturedStderr();
  EXPECT_NE(warned.find("24 of 40 engagements"), std::string::npos) << warned;
  EXPECT_NE(warned.find("--seed 121"), std::string::npos) << warned;

  // Without the column of tactics: predictions.
  config.noise = 0;
  std::string text = read_file(simulated.out), bare;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at), comma = text.find(',', at), next = text.find(',', comma + 1);
    bare += text.substr(at, comma - at) + text.substr(next, end + 1 - next);
    at = end + 1;
  }
  write_file(folder / "bare.csv", bare);
  config.data = (folder / "bare.csv").string();
  EXPECT_EQ(evaluate_tracks(config)["predictions"].size(), 160u);

  // What does not fit is refused.
  const auto refusal = [&] {
    try {
      evaluate_tracks(config);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::input);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  simulated.engagement.agents = 4;
  simulate_tracks(simulated);
  config.data = simulated.out;
  EXPECT_NE(refusal().find("has tracks of 4 agents, expected 5"), std::string::npos) << refusal();
  config.data = (folder / "bare.csv").string();
  const std::string weights = read_file(folder / "run/model.safetensors");
  write_file(folder / "run/model.safetensors", weights.substr(0, weights.size() - 4));
  EXPECT_NE(refusal(), "accepted");
  std::filesystem::remove(folder / "run/model.safetensors");
  EXPECT_NE(refusal().find("holds no model.json and model.safetensors"), std::string::npos);
}

TEST(SwarmTrain, AWindowPastTheShortestEngagementIsAllOfIt) {
  TrainJob job = make_job({{"window", 4000}});
  Json settings;
  const Json data = job.describe(settings)["data"];
  EXPECT_EQ(data["window"], data["shortest_engagement"]);
  EXPECT_EQ(data["train"].get<int>() + data["validation"].get<int>() + data["test"].get<int>(), 160);
}

}  // namespace
}  // namespace frugal::swarm
