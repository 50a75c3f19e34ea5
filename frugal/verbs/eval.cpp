// frugal eval: accuracy of label words after a prompt, or perplexity of a text.
#include <cmath>
#include <cstdio>

#include "frugal/base/atomic_file.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/progress.h"
#include "frugal/data/text_windows.h"
#include "frugal/verbs/verbs.h"

namespace frugal {
namespace {

Json classify(Session& session, const Json& settings, BudgetGuard& guard) {
  const auto config = from_json<PromptConfig>(settings);
  const auto limit = static_cast<std::size_t>(settings.value("limit", std::int64_t{0}));
  const Records records = read_records(option(settings, "data"), config.columns, limit);
  const PromptTask task(config, *session.tokenizer);
  Dataset data = task.encode(records);
  const Evaluation found = evaluate(session.decoder, session.view, task, data.examples, "examples",
                                    settings.value("batch", std::int64_t{16}), &guard);
  Json result = {{"accuracy", found.metrics.accuracy},
                 {"balanced_accuracy", found.metrics.balanced_accuracy},
                 {"f1", found.metrics.f1},
                 {"loss", found.loss},
                 {"examples", data.examples.size()},
                 {"truncated", data.truncated},
                 {"labels", Json::array()},
                 {"confusion", found.metrics.confusion}};
  for (const Label& label : task.labels()) result["labels"].push_back(label.value);
  return result;
}

Json perplexity(Session& session, const Json& settings, BudgetGuard& guard) {
  const std::int64_t length = settings.value("length", std::int64_t{512});
  const auto windows = text_windows(*session.tokenizer, read_file(option(settings, "text")), length);
  const std::int64_t together = settings.value("batch", std::int64_t{16});
  double sum = 0;
  std::int64_t predicted = 0;
  Progress progress(windows.size(), "windows");
  for (std::size_t begin = 0; begin < windows.size();) {
    throw_if_interrupted();
    PackedBatch batch;
    std::vector<Decoder::Query> queries;
    do {
      const auto& window = windows[begin++];
      const std::int64_t first = batch.size();
      batch.append(window);
      for (std::size_t t = 0; t + 1 < window.size(); ++t)
        queries.push_back({first + static_cast<std::int64_t>(t), window[t + 1]});
    } while (begin < windows.size() && static_cast<std::int64_t>(batch.segments.size()) < together &&
             batch.size() + static_cast<std::int64_t>(windows[begin].size()) <= kTextTokens);
    session.decoder.forward(session.view, batch);
    for (const double value : session.decoder.log_probabilities(session.view, queries)) sum -= value;
    predicted += static_cast<std::int64_t>(queries.size());
    guard.check("a forward");
    progress.update(begin);
  }
  const double loss = sum / static_cast<double>(predicted);
  return {{"perplexity", std::exp(loss)},
          {"loss", loss},
          {"tokens", predicted},
          {"windows", windows.size()},
          {"length", length}};
}

}  // namespace

int run_eval(const Json& settings) {
  Session session(settings);
  const bool is_text = !option(settings, "text").empty();
  BudgetGuard guard(Bytes{settings.value("memory", std::uint64_t{0})},
                    std::string("give more --memory, or a smaller --batch or ") +
                        (is_text ? "--length" : "--max-length") + "; see frugal plan");
  guard.check("the model");
  Json result = is_text ? perplexity(session, settings, guard) : classify(session, settings, guard);
  result["seconds"] = session.seconds();
  result["peak_rss_bytes"] = peak_rss_bytes();
  result["floor_rss_bytes"] = session.floor_bytes;
  if (settings.value("json", false)) {
    print_line(result.dump());
  } else if (is_text) {
    std::printf("perplexity %.3f  loss %.4f  tokens %lld  %.1f s  peak %s\n", result["perplexity"].get<double>(),
                result["loss"].get<double>(), static_cast<long long>(result["tokens"].get<std::int64_t>()),
                session.seconds(), format_bytes(peak_rss_bytes()).c_str());
  } else {
    std::printf("accuracy %.4f  balanced %.4f  F1 %.4f  loss %.4f  examples %zu  %.1f s  peak %s\n",
                result["accuracy"].get<double>(), result["balanced_accuracy"].get<double>(), result["f1"].get<double>(),
                result["loss"].get<double>(), result["examples"].get<std::size_t>(), session.seconds(),
                format_bytes(peak_rss_bytes()).c_str());
  }
  return 0;
}

}  // namespace frugal
