#include "frugal/signals/swarm/torch/evaluate.h"

#include <algorithm>
#include <cstdio>

#include "frugal/base/atomic_file.h"
#include "frugal/base/log.h"
#include "frugal/signals/swarm/torch/data.h"
#include "frugal/signals/swarm/torch/measure.h"
#include "frugal/signals/swarm/torch/model_file.h"
#include "frugal/signals/swarm/tracks.h"

namespace frugal::swarm {
namespace {

struct Prediction {
  std::int64_t run;
  std::string_view tactic;
  double probability, communicates, leads;
};

// Of a sequence its last step.
std::vector<Prediction> predictions_of(const Answers& answers, const Corpus& corpus) {
  const auto last = [](const torch::Tensor& each, std::int64_t dims) {
    return (each.dim() > dims ? each.select(1, each.size(1) - 1) : each).contiguous();
  };
  const torch::Tensor predicted = last(answers.predicted, 1), p = last(answers.probabilities, 2).to(torch::kDouble);
  std::vector<Prediction> all;
  for (std::int64_t r = 0; r < corpus.runs; ++r) {
    const auto tactic = predicted[r].item<std::int64_t>();
    const double* of = p.data_ptr<double>() + r * kTactics;
    all.push_back({corpus.names[static_cast<std::size_t>(r)], name(static_cast<Tactic>(tactic)), of[tactic],
                   of[2] + of[3], of[1] + of[3]});
  }
  return all;
}

void write_predictions(const std::string& path, const std::vector<Prediction>& all) {
  AtomicFile file(path);
  file.write("run,tactic,probability,communicates,leads\n");
  for (const Prediction& each : all) {
    char line[160];
    const int size = std::snprintf(line, sizeof line, "%lld,%s,%.6f,%.6f,%.6f\n", static_cast<long long>(each.run),
                                   std::string(each.tactic).c_str(), each.probability, each.communicates, each.leads);
    file.write(std::string_view(line, static_cast<std::size_t>(size)));
  }
  file.commit();
}

// A score on what was learned by heart says little.
void warn_of_known(const EvaluateConfig& c, std::int64_t known, std::int64_t all, std::int64_t seeds) {
  warn(std::to_string(known) + " of " + std::to_string(all) + " engagements of " + c.data +
       " begin as those of the seeds 1 to " + std::to_string(seeds) + ", which " + c.run +
       " was trained and tested on: frugal swarm simulate --seed " + std::to_string(seeds + 1) +
       " makes ones that are new to it");
}

void print(const Json& result) {
  if (result.contains("predictions")) {
    std::printf("%10s  %-9s %11s %13s %7s\n", "run", "tactic", "probability", "communicates", "leads");
    for (const Json& each : result["predictions"]) {
      std::printf("%10lld  %-9s %11.3f %13.3f %7.3f\n", each["run"].get<long long>(),
                  each["tactic"].get<std::string>().c_str(), each["probability"].get<double>(),
                  each["communicates"].get<double>(), each["leads"].get<double>());
    }
    return;
  }
  const auto runs = result["runs"].get<long long>(), known = result["known"].get<long long>();
  std::printf("engagements     %lld, the first %lld steps of each; %lld are new to the classifier\n", runs,
              result["window"].get<long long>(), runs - known);
  std::printf("%s", scores_text(result).c_str());
  std::printf("%-10s %6s", "", "runs");
  for (int k = 0; k < kTactics; ++k) std::printf(" %9s", std::string(name(static_cast<Tactic>(k))).c_str());
  std::printf("\n");
  for (std::size_t k = 0; k < kTactics; ++k) {
    const Json& row = result["classes"][k];
    std::printf("%-10s %6lld", row["tactic"].get<std::string>().c_str(), row["runs"].get<long long>());
    for (std::size_t said = 0; said < kTactics; ++said)
      std::printf(" %9lld", result["confusion"][k][said].get<long long>());
    std::printf("\n");
  }
}

}  // namespace

Json evaluate_tracks(const EvaluateConfig& c) {
  const ModelCard card = check_evaluation(c);
  const Tracks tracks = read_tracks(c.data);
  Corpus corpus = corpus_of(tracks, card.config.window, card.steps);
  if (corpus.agents != card.config.engagement.agents)
    throw Error(Exit::input, c.data + " changed while it was read", "run the command again");
  torch::set_num_threads(static_cast<int>(std::max<std::int64_t>(1, c.threads)));
  LoadedModel model = read_model(c.run, card);
  add_noise(corpus, c.noise, static_cast<std::uint64_t>(c.seed));
  const torch::Tensor x = windows_of(corpus, model.scaler, card.config.window, card.config.features);
  torch::Tensor labels;
  if (tracks.has_tactics) labels = torch::tensor(corpus.labels, torch::kInt).to(torch::kLong);
  const std::int64_t known = count_known(tracks, card.config.engagement.engagement(), card.config.runs);
  if (known > 0) warn_of_known(c, known, corpus.runs, card.config.runs);
  const Answers answers = answer(model.classifier, x, labels);
  const auto predictions = predictions_of(answers, corpus);
  if (!c.out.empty()) write_predictions(c.out, predictions);
  Json result = {{"run", c.run},     {"data", c.data}, {"runs", corpus.runs}, {"window", card.config.window},
                 {"noise", c.noise}, {"known", known}};
  if (tracks.has_tactics) {
    result.update(measure(answers, labels, card.config.output == "mh").json());
    return result;
  }
  Json listed = Json::array();
  for (const Prediction& each : predictions) {
    listed.push_back({{"run", each.run},
                      {"tactic", each.tactic},
                      {"probability", each.probability},
                      {"communicates", each.communicates},
                      {"leads", each.leads}});
  }
  result["predictions"] = std::move(listed);
  return result;
}

int run_evaluate(const EvaluateConfig& config) {
  const Json result = evaluate_tracks(config);
  if (config.json) {
    std::printf("%s\n", result.dump().c_str());
  } else {
    print(result);
  }
  return 0;
}

}  // namespace frugal::swarm
