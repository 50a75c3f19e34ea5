#include "frugal/verbs/torch/tune_summary.h"

#include <cstdio>

#include "frugal/base/units.h"

namespace frugal {
namespace {

constexpr const char* kShownMetrics[] = {
    "accuracy", "balanced_accuracy", "exact_match", "rewards/accuracies", "rewards/margins",
    "rougeL",   "perplexity",        "loss"};

std::string with_metric(const char* format, const std::string& name, double value) {
  char text[100];
  std::snprintf(text, sizeof text, format, name.c_str(), value);
  return text;
}

}  // namespace

std::string training_line(const TuneConfig& config, const StepConfig& step, std::uint64_t trained,
                          const WeightStore& store, std::size_t examples) {
  double all = 0;
  for (std::size_t id = 0; id < store.size(); ++id) all += static_cast<double>(store.elements(id));
  const std::string lr = step.lr.is_automatic ? "auto" : Json(step.lr.value).dump();
  char text[200];
  std::snprintf(text, sizeof text, ": %.2f of %.2f million numbers (%.2f %%), lr %s, %lld steps of %lld (%.2f epochs)",
                static_cast<double>(trained) / 1e6, all / 1e6, 100 * static_cast<double>(trained) / all, lr.c_str(),
                static_cast<long long>(config.steps), static_cast<long long>(config.batch),
                static_cast<double>(config.steps * config.batch) / static_cast<double>(examples));
  return "training  " + config.method + text;
}

std::string shown_metrics(const Json& evaluation) {
  std::string line;
  for (const char* metric : kShownMetrics) {
    if (evaluation.contains(metric)) line += with_metric(" %s %.4f", metric, evaluation[metric].get<double>());
  }
  return line;
}

std::string training_lines(const Json& results, const RunFolder& folder) {
  const std::string run = folder.path().string();
  std::string out = "run       " + run + "\n";
  std::string text = results["steps"].dump() + " in " + format_seconds(results["seconds"].get<double>());
  if (results.contains("train_loss"))
    text += with_metric(", %s %.4f", "loss of the last ones", results["train_loss"].get<double>());
  out += "steps     " + text + ", peak memory " + format_bytes(results["peak_rss_bytes"].get<std::uint64_t>()) + "\n";
  if (results.contains("best")) {
    const Json& best = results["best"];
    const auto name = best["metric_name"].get<std::string>();
    text = "step " + best["step"].dump() + with_metric(", dev %s %.4f", name, best["metric"].get<double>());
    if (name != "loss") text += with_metric(", %s %.4f", "loss", best["loss"].get<double>());
    out += "best      " + text + "\n";
  }
  if (results.contains("test")) out += "test     " + shown_metrics(results["test"]) + "\n";
  return out + "weights   sha256 " + folder.record().value("weights_sha256", "") + "\n";
}

std::string closing_lines(const std::string& model, const Json& results, const RunFolder& folder) {
  return training_lines(results, folder) + "next      frugal merge " + model + " " + folder.path().string() +
         " --out MODEL_FOLDER\n";
}

}  // namespace frugal
