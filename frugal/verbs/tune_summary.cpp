#include "frugal/verbs/tune_summary.h"

#include <cstdio>

#include "frugal/base/log.h"
#include "frugal/base/units.h"
#include "frugal/verbs/verbs.h"

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

std::string training_line(const Json& settings, std::uint64_t trained, const WeightStore& store, std::size_t examples) {
  double all = 0;
  for (std::size_t id = 0; id < store.size(); ++id) all += static_cast<double>(store.elements(id));
  const auto steps = settings.value("steps", std::int64_t{200}), batch = settings.value("batch", std::int64_t{16});
  const std::string lr = settings["lr"].is_string() ? settings["lr"].get<std::string>() : settings["lr"].dump();
  char text[200];
  std::snprintf(text, sizeof text, ": %.2f of %.2f million numbers (%.2f %%), lr %s, %lld steps of %lld (%.2f epochs)",
                static_cast<double>(trained) / 1e6, all / 1e6, 100 * static_cast<double>(trained) / all, lr.c_str(),
                static_cast<long long>(steps), static_cast<long long>(batch),
                static_cast<double>(steps * batch) / static_cast<double>(examples));
  return "training  " + option(settings, "method") + text;
}

std::string shown_metrics(const Json& evaluation) {
  std::string line;
  for (const char* metric : kShownMetrics) {
    if (evaluation.contains(metric)) line += with_metric(" %s %.4f", metric, evaluation[metric].get<double>());
  }
  return line;
}

void print_results(const Json& settings, const std::filesystem::path& run, const Json& results,
                   const std::string& weights_sha256) {
  if (settings.value("json", false)) {
    Json line = {{"run", run.string()}};
    line.update(results);
    line["weights_sha256"] = weights_sha256;
    return print_line(line.dump());
  }
  std::printf("run       %s\n", run.c_str());
  std::string text = results["steps"].dump() + " in " + format_seconds(results["seconds"].get<double>());
  if (results.contains("train_loss"))
    text += with_metric(", %s %.4f", "loss of the last ones", results["train_loss"].get<double>());
  std::printf("steps     %s, peak memory %s\n", text.c_str(),
              format_bytes(results["peak_rss_bytes"].get<std::uint64_t>()).c_str());
  if (results.contains("best")) {
    const Json& best = results["best"];
    const auto name = best["metric_name"].get<std::string>();
    text = "step " + best["step"].dump() + with_metric(", dev %s %.4f", name, best["metric"].get<double>());
    if (name != "loss") text += with_metric(", %s %.4f", "loss", best["loss"].get<double>());
    std::printf("best      %s\n", text.c_str());
  }
  if (results.contains("test")) std::printf("test     %s\n", shown_metrics(results["test"]).c_str());
  std::printf("weights   sha256 %s\n", weights_sha256.c_str());
  std::printf("next      frugal merge %s %s --out MODEL_FOLDER\n", option(settings, "model").c_str(), run.c_str());
}

}  // namespace frugal
