#include "frugal/signals/swarm/torch/measure.h"

#include <algorithm>
#include <cstdio>

namespace frugal::swarm {
namespace {

constexpr std::int64_t kPiece = 512;

torch::Tensor last(const torch::Tensor& each, std::int64_t dims) {
  return each.dim() > dims ? each.select(1, each.size(1) - 1) : each;
}

double share(const torch::Tensor& is_so) { return is_so.to(torch::kDouble).mean().item<double>(); }

}  // namespace

Answers answer(tsc::Classifier& classifier, const torch::Tensor& x, const torch::Tensor& labels) {
  const torch::NoGradGuard no_grad;
  const bool was_training = classifier.is_training();
  classifier.eval();
  std::vector<torch::Tensor> predicted, probabilities, attributes;
  double sum = 0;
  for (std::int64_t first = 0; first < x.size(0); first += kPiece) {
    const std::int64_t count = std::min(kPiece, x.size(0) - first);
    const tsc::Outputs outputs = classifier.forward(x.narrow(0, first, count));
    predicted.push_back(tsc::predictions(outputs));
    probabilities.push_back(tsc::probabilities(outputs));
    if (outputs.attributes.defined()) attributes.push_back(outputs.attributes.sigmoid());
    if (labels.defined())
      sum += tsc::loss(outputs, labels.narrow(0, first, count)).item<double>() * static_cast<double>(count);
  }
  classifier.train(was_training);
  Answers answers{.predicted = torch::cat(predicted), .probabilities = torch::cat(probabilities)};
  if (!attributes.empty()) answers.attributes = torch::cat(attributes);
  answers.loss = labels.defined() ? sum / static_cast<double>(x.size(0)) : NAN;
  return answers;
}

Measured measure(const Answers& answers, const torch::Tensor& labels, bool has_both_heads) {
  const torch::Tensor predicted = last(answers.predicted, 1);
  Measured measured{.runs = labels.size(0), .loss = answers.loss};
  measured.accuracy = share(predicted == labels);
  measured.communicates = share(predicted.div(2, "floor") == labels.div(2, "floor"));
  measured.leads = share(predicted.remainder(2) == labels.remainder(2));
  const auto truth = labels.accessor<std::int64_t, 1>();
  const torch::Tensor held = predicted.contiguous();
  const auto said = held.accessor<std::int64_t, 1>();
  for (std::int64_t r = 0; r < measured.runs; ++r)
    ++measured.confusion[static_cast<std::size_t>(truth[r])][static_cast<std::size_t>(said[r])];
  if (answers.attributes.defined()) {
    const torch::Tensor is_there = last(answers.attributes, 2).gt(0.5).to(torch::kLong);
    const torch::Tensor named = is_there.select(1, 0) * 2 + is_there.select(1, 1);
    measured.attribute_heads = share(named == labels);
    if (has_both_heads) measured.agreement = share(named == predicted);
  }
  if (answers.predicted.dim() == 2) {
    for (std::int64_t t = 0; t < answers.predicted.size(1); ++t)
      measured.by_step.push_back(share(answers.predicted.select(1, t) == labels));
  }
  return measured;
}

std::string scores_text(const Json& measured) {
  struct Score {
    const char *key, *what;
    double chance;
  };
  constexpr Score kScores[] = {{"accuracy", "one of four tactics", 0.25},
                               {"communicates", "whether the attackers agree on their targets", 0.5},
                               {"leads", "whether they steer at where a target will be", 0.5},
                               {"attribute_heads", "both of these, by the heads for them", 0.25},
                               {"agreement", "how often these heads name the tactic that the other head names", -1}};
  std::string text;
  for (const Score& score : kScores) {
    if (!measured.contains(score.key)) continue;
    char line[160], chance[40] = "";
    if (score.chance > 0) std::snprintf(chance, sizeof chance, " (chance: %.2f)", score.chance);
    std::string name(score.key);
    std::replace(name.begin(), name.end(), '_', ' ');
    std::snprintf(line, sizeof line, "%-15s %.4f  %s%s\n", name.c_str(), measured[score.key].get<double>(), score.what,
                  chance);
    text += line;
  }
  return text;
}

Json Measured::json() const {
  Json json = {
      {"accuracy", accuracy}, {"loss", loss}, {"runs", runs}, {"communicates", communicates}, {"leads", leads}};
  if (attribute_heads >= 0) json["attribute_heads"] = attribute_heads;
  if (agreement >= 0) json["agreement"] = agreement;
  Json classes = Json::array();
  for (std::size_t k = 0; k < kTactics; ++k) {
    std::int64_t are = 0, said = 0;
    for (std::size_t other = 0; other < kTactics; ++other) are += confusion[k][other], said += confusion[other][k];
    const auto ratio = [&](std::int64_t of) {
      return of == 0 ? Json() : Json(static_cast<double>(confusion[k][k]) / static_cast<double>(of));
    };
    classes.push_back(
        {{"tactic", name(static_cast<Tactic>(k))}, {"runs", are}, {"recall", ratio(are)}, {"precision", ratio(said)}});
  }
  json["classes"] = classes;
  json["confusion"] = confusion;
  return json;
}

}  // namespace frugal::swarm
