// frugal eval: accuracy of label words after a prompt; loss on answers, and answers that are written; perplexity of a
// text.
#include <cmath>
#include <cstdio>
#include <optional>

#include "frugal/base/atomic_file.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/print.h"
#include "frugal/base/progress.h"
#include "frugal/data/sequence_task.h"
#include "frugal/data/text_windows.h"
#include "frugal/plan/choices.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/train/objective/dpo_loss.h"
#include "frugal/train/objective/generated_answers.h"
#include "frugal/train/objective/window_loss.h"
#include "frugal/verbs/common/read_once.h"
#include "frugal/verbs/eval/config.h"
#include "frugal/verbs/torch/session.h"

namespace frugal {
namespace {

Json classify(Session& session, const EvalConfig& config, const RowChoice& choice, BudgetGuard& guard) {
  const PromptTask task(config.task, *session.tokenizer);
  const Dataset data = take_examples(config.task, config.data, choice,
                                     [&] { return task.load(config.data, config.task.columns, choice); });
  const Evaluation found = evaluate(session.decoder, session.view(), task, data.examples, "examples", config.batch,
                                    [&] { guard.check("a batch"); });
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

Json complete(Session& session, const EvalConfig& config, const RowChoice& choice, BudgetGuard& guard) {
  const SequenceTask task(config.sequences(), *session.tokenizer, session.source->chat_template());
  const SequenceDataset data =
      take_examples(config.sequences(), config.data, choice, [&] { return task.load(config.data, choice); });
  const std::int64_t together = config.batch;
  const auto evaluate = [&](SequenceLoss& objective) {
    objective.set_together(static_cast<std::size_t>(together));
    objective.set_guard([&] { guard.check("a forward"); });
    return objective.evaluate(session.view(), "examples");
  };
  Json result;
  if (config.generate) {
    const AnswerConfig& answers = config.answers;
    const std::string& predictions = config.predictions;
    ManyOptions generation;
    generation.max_new_tokens = answers.max_new_tokens;
    generation.together = together;
    generation.stop_tokens = stop_tokens(*session.source, *session.tokenizer);
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

// Rewards of what was tuned against the model that it lies over, which judges first; of a model alone against nothing.
Json prefer(Session& session, const EvalConfig& config, const RowChoice& choice, BudgetGuard& guard) {
  const PreferenceTask task(config.sequences(), *session.tokenizer, session.source->chat_template());
  const PreferenceDataset data =
      take_examples(config.sequences(), config.data, choice, [&] { return task.load(config.data, choice); });
  DpoLoss loss(session.decoder, data, config.dpo);
  loss.set_guard([&] { guard.check("a forward"); });
  const bool has_reference = !config.adapter.adapter.empty();
  if (has_reference) {
    AdapterConfig start = config.adapter;  // of a run what it began with, an adapter that it went on from, too
    start.step = 0;
    if (is_run(start.adapter)) session.lay(start);
    loss.set_reference(loss.reference_of(session.view(), "reference pairs"));
    session.lay(config.adapter);
  } else {
    loss.set_reference(std::vector<double>(2 * data.preferences.size(), 0.0));
  }
  Json result = loss.evaluate(session.view(), "pairs");
  result["examples"] = data.preferences.size();
  result["dropped"] = data.dropped;
  result["reference"] = has_reference ? Json(config.model) : Json();
  return result;
}

Json perplexity(Session& session, const EvalConfig& config, BudgetGuard& guard) {
  const auto windows = handed().take<std::vector<std::vector<std::int32_t>>>("windows").value();  // the check made them
  Progress progress(windows.size(), "windows");
  const WindowLoss found =
      window_loss(session.decoder, session.view(), windows, config.batch, kTextTokens, {}, [&](std::size_t done) {
        guard.check("a forward");
        progress.update(done);
      });
  return {{"perplexity", std::exp(found.mean())},
          {"loss", found.mean()},
          {"tokens", found.predicted},
          {"windows", windows.size()},
          {"length", config.length}};
}

// The metrics of a result in a line: those that are there.
std::string metrics_line(const Json& result) {
  struct Shown {
    const char *key, *format;
  };
  constexpr Shown kShown[] = {{"accuracy", "accuracy %.4f"},       {"balanced_accuracy", "balanced %.4f"},
                              {"exact_match", "exact match %.4f"}, {"f1", "F1 %.4f"},
                              {"rougeL", "ROUGE-L %.4f"},          {"rewards/accuracies", "rewards: accuracy %.4f"},
                              {"rewards/margins", "margin %.4f"},  {"rewards/chosen", "chosen %.4f"},
                              {"perplexity", "perplexity %.3f"},   {"loss", "loss %.4f"},
                              {"examples", "examples %.0f"},       {"tokens", "tokens %.0f"},
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

// Of label words: a row is what there is, a column what was predicted.
std::string confusion_text(const Json& result) {
  std::vector<std::vector<std::string>> rows = {{""}};
  std::vector<std::size_t> numbers;
  for (const Json& label : result["labels"]) {
    rows.front().push_back(label.get<std::string>());
    numbers.push_back(numbers.size() + 1);
  }
  rows.front().push_back("recall");
  numbers.push_back(numbers.size() + 1);
  for (std::size_t k = 0; k < result["labels"].size(); ++k) {
    auto& row = rows.emplace_back();
    row.push_back(result["labels"][k].get<std::string>());
    double sum = 0;
    for (const Json& count : result["confusion"][k]) {
      row.push_back(count.dump());
      sum += count.get<double>();
    }
    char recall[32] = "-";
    if (sum > 0) std::snprintf(recall, sizeof recall, "%.4f", result["confusion"][k][k].get<double>() / sum);
    row.emplace_back(recall);
  }
  return table(rows, numbers);
}

int run_eval(const EvalConfig& config, const RowChoice& choice, const PlanChoices& choices) {
  Session session({config.model, config.compute, config.memory, choices.file_window,
                   config.objective == "dpo" ? AdapterConfig() : config.adapter});
  const bool is_text = !config.text.empty();
  BudgetGuard guard(config.memory, std::string("give more --memory, or a smaller --batch or ") +
                                       (is_text ? "--length" : "--max-length") + "; see frugal plan");
  guard.check("the model");
  Json result = config.objective == "dpo"     ? prefer(session, config, choice, guard)
                : is_text                     ? perplexity(session, config, guard)
                : !config.task.labels.empty() ? classify(session, config, choice, guard)
                                              : complete(session, config, choice, guard);
  result["seconds"] = session.seconds();
  result["peak_rss_bytes"] = peak_rss_bytes();
  result["floor_rss_bytes"] = session.floor_bytes;
  if (config.output.json) {
    print_line(result.dump());
    return 0;
  }
  std::printf("%s%.1f s  peak %s\n", metrics_line(result).c_str(), session.seconds(),
              format_bytes(peak_rss_bytes()).c_str());
  constexpr std::size_t kMostLabels = 20;  // that a terminal is wide enough for
  if (result.contains("confusion") && result["labels"].size() <= kMostLabels)
    std::printf("\nconfusion: a row is what there is, a column what was predicted\n%s", confusion_text(result).c_str());
  return 0;
}

}  // namespace

void register_torch_job_verbs_eval(JobTable& table) {
  table.raw_action("eval", [](const Json& settings) {
    const auto config = from_json<EvalConfig>(settings);
    return run_eval(config, choice_of(config, settings), choices_of(settings));
  });
}

}  // namespace frugal
