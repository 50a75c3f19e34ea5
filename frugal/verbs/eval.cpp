// frugal eval: accuracy of label words after a prompt; loss on answers, and answers that are written; perplexity of a
// text.
#include <cmath>
#include <cstdio>
#include <optional>

#include "frugal/base/atomic_file.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/progress.h"
#include "frugal/data/sequence_task.h"
#include "frugal/data/text_windows.h"
#include "frugal/train/objective/generated_answers.h"
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
                                    settings.value("batch", std::int64_t{16}), [&] { guard.check("a batch"); });
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

void write_predictions(const std::string& path, const std::vector<WrittenAnswer>& answers) {
  AtomicFile file(path);
  for (const WrittenAnswer& each : answers) {
    const Json line = {{"prompt", each.prompt},         {"reference", each.reference},
                       {"prediction", each.prediction}, {"exact_match", each.scores.exact_match ? 1 : 0},
                       {"f1", each.scores.f1},          {"rougeL", each.scores.rouge_l}};
    file.write(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  file.commit();
}

Json complete(Session& session, const Json& settings, BudgetGuard& guard) {
  const SequenceTask task(from_json<SequenceConfig>(settings), *session.tokenizer, session.source->chat_template());
  const SequenceDataset data =
      task.load(option(settings, "data"), static_cast<std::size_t>(settings.value("limit", std::int64_t{0})));
  const std::int64_t together = settings.value("batch", std::int64_t{16});
  const auto evaluate = [&](SequenceLoss& objective) {
    objective.set_together(static_cast<std::size_t>(together));
    objective.set_guard([&] { guard.check("a forward"); });
    return objective.evaluate(session.view, "examples");
  };
  Json result;
  if (settings.value("generate", false)) {
    const auto answers = from_json<AnswerConfig>(settings);
    const std::string predictions = option(settings, "predictions");
    ManyOptions generation;
    generation.max_new_tokens = answers.max_new_tokens;
    generation.together = together;
    generation.stop_tokens = stop_tokens(session);
    GeneratedAnswers objective(session.decoder, *session.tokenizer, data, parse_match(answers.match), generation);
    result = evaluate(objective);
    result["match"] = answers.match;
    result["max_new_tokens"] = answers.max_new_tokens;
    if (!predictions.empty()) {
      write_predictions(predictions, objective.answers());
      result["predictions"] = predictions;
    }
  } else {
    SequenceLoss objective(session.decoder, data.sequences);
    result = evaluate(objective);
  }
  result["truncated"] = data.truncated;
  result["dropped"] = data.dropped;
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

// The metrics of a result in a line: those that are there.
std::string metrics_line(const Json& result) {
  struct Shown {
    const char *key, *format;
  };
  constexpr Shown kShown[] = {{"accuracy", "accuracy %.4f"},
                              {"balanced_accuracy", "balanced %.4f"},
                              {"exact_match", "exact match %.4f"},
                              {"f1", "F1 %.4f"},
                              {"rougeL", "ROUGE-L %.4f"},
                              {"perplexity", "perplexity %.3f"},
                              {"loss", "loss %.4f"},
                              {"examples", "examples %.0f"},
                              {"tokens", "tokens %.0f"},
                              {"new_tokens", "new tokens %.0f"}};
  std::string line;
  for (const auto& [key, format] : kShown) {
    if (!result.contains(key)) continue;
    char text[60];
    std::snprintf(text, sizeof text, format, result[key].get<double>());
    line += std::string(text) + "  ";
  }
  return line;
}

}  // namespace

int run_eval(const Json& settings) {
  Session session(settings);
  const bool is_text = !option(settings, "text").empty();
  BudgetGuard guard(Bytes{settings.value("memory", std::uint64_t{0})},
                    std::string("give more --memory, or a smaller --batch or ") +
                        (is_text ? "--length" : "--max-length") + "; see frugal plan");
  guard.check("the model");
  const bool has_labels = !from_json<PromptConfig>(settings).labels.empty();
  Json result = is_text      ? perplexity(session, settings, guard)
                : has_labels ? classify(session, settings, guard)
                             : complete(session, settings, guard);
  result["seconds"] = session.seconds();
  result["peak_rss_bytes"] = peak_rss_bytes();
  result["floor_rss_bytes"] = session.floor_bytes;
  if (settings.value("json", false)) {
    print_line(result.dump());
    return 0;
  }
  std::printf("%s%.1f s  peak %s\n", metrics_line(result).c_str(), session.seconds(),
              format_bytes(peak_rss_bytes()).c_str());
  return 0;
}

}  // namespace frugal
