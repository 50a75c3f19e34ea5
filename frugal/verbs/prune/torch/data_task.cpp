#include "frugal/verbs/prune/torch/data_task.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/philox.h"
#include "frugal/train/objective/generated_answers.h"
#include "frugal/train/objective/label_loss.h"
#include "frugal/train/objective/sequence_loss.h"
#include "frugal/verbs/torch/session.h"

namespace frugal {
namespace {

constexpr std::size_t kBranches = 2;  // masks of one forward: a pair

std::size_t size_of(const Dataset& data) { return data.examples.size(); }
std::size_t size_of(const SequenceDataset& data) { return data.sequences.size(); }
auto& examples_of(Dataset& data) { return data.examples; }
auto& examples_of(SequenceDataset& data) { return data.sequences; }

// The last tenth of the examples, at least one, which leave `from`.
template <class Data>
void split(Data& from, Data& last) {
  auto &all = examples_of(from), &own = examples_of(last);
  if (all.size() < 2)
    throw Error(Exit::input, "--data has one example, expected at least 2", "give more examples, or --eval");
  const std::size_t cut = all.size() - std::max<std::size_t>(1, all.size() / 10);
  own.assign(all.begin() + static_cast<std::ptrdiff_t>(cut), all.end());
  all.resize(cut);
}

template <class Data>
void pick(Data& from, const std::vector<std::uint32_t>& chosen, Data& to) {
  examples_of(to).clear();
  for (const std::uint32_t index : chosen) examples_of(to).push_back(examples_of(from)[index]);
}

}  // namespace

DataTask::DataTask(const PruneVerbConfig& config, const std::string& utility, const ModelSource& model,
                   std::uint64_t seed)
    : config_(config),
      utility_(utility),
      writes_(writes_answers(config, utility)),
      seed_(seed),
      chat_template_(model.chat_template()),
      tokenizer_(model.tokenizer()),
      stop_tokens_(stop_tokens(model, *tokenizer_)) {
  if (config.task.labels.empty())
    sequences_.emplace(config.sequences(), *tokenizer_, chat_template_, model.shape().context);
  else
    prompts_.emplace(config.task, *tokenizer_);
  train_ = load(config.data);
  if (!config.eval.empty())
    eval_ = load(config.eval);
  else if (prompts_)
    split(train_.labelled, eval_.labelled);
  else
    split(train_.sequences, eval_.sequences);
}

DataTask::Data DataTask::load(const std::string& path) const {
  Data data;
  if (prompts_)
    data.labelled = prompts_->load(path, config_.task.columns, 0);
  else
    data.sequences = sequences_->load(path);
  return data;
}

std::unique_ptr<Objective> DataTask::objective(Model& model, const Data& data) const {
  if (prompts_) return std::make_unique<LabelLoss>(model, *prompts_, data.labelled, false);
  if (!writes_) return std::make_unique<SequenceLoss>(model, data.sequences.sequences);
  ManyOptions generation;
  generation.max_new_tokens = config_.answers.max_new_tokens;
  generation.together = kAnswersTogether;
  generation.stop_tokens = stop_tokens_;
  return std::make_unique<GeneratedAnswers>(model, *tokenizer_, data.sequences, parse_match(config_.answers.match),
                                            generation);
}

std::unique_ptr<Objective> DataTask::drawn(Model& model, std::uint64_t round) {
  std::vector<std::uint32_t> order(prompts_ ? size_of(train_.labelled) : size_of(train_.sequences));
  std::iota(order.begin(), order.end(), 0);
  const std::size_t count = std::min(order.size(), static_cast<std::size_t>(config_.prune.windows) * kExamplesOfWindow);
  PhiloxSequence random(philox_key(seed_, round), named_stream("prune.examples"));
  for (std::size_t i = 0; i < count; ++i)
    std::swap(order[i], order[i + random.below(static_cast<std::uint32_t>(order.size() - i))]);
  order.resize(count);
  std::sort(order.begin(), order.end());
  prompts_ ? pick(train_.labelled, order, part_.labelled) : pick(train_.sequences, order, part_.sequences);
  return objective(model, part_);
}

std::vector<double> DataTask::means(PruneModel& model, Objective& on, const std::vector<ModelMask>& masks,
                                    bool errors) const {
  std::vector<std::uint32_t> all(on.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<double> means;
  for (std::size_t first = 0; first < masks.size(); first += kBranches) {
    const std::vector<ModelMask> some(
        masks.begin() + static_cast<std::ptrdiff_t>(first),
        masks.begin() + static_cast<std::ptrdiff_t>(std::min(masks.size(), first + kBranches)));
    const MaskedView view(model.store(), some);
    std::vector<double> sums(some.size());
    for (std::size_t begin = 0; begin < all.size(); begin += kEvaluatedTogether) {
      throw_if_interrupted();
      const Objective::Indices part(all.data() + begin,
                                    std::min(all.size() - begin, static_cast<std::size_t>(kEvaluatedTogether)));
      const std::vector<double> found = errors ? on.error_sums(view, part) : on.loss_sums(view, part);
      for (std::size_t b = 0; b < sums.size(); ++b) sums[b] += found[b];
    }
    for (const double sum : sums) means.push_back(sum / on.terms(all));
  }
  return means;
}

std::vector<double> DataTask::metric(PruneModel& model, const std::string& name, std::uint64_t round,
                                     const std::vector<ModelMask>& masks) {
  const auto on = drawn(model.model(), round);
  std::vector<double> values;
  if (name == "accuracy") {
    values = means(model, *on, masks, true);
    for (double& value : values) value = 1 - value;
    return values;
  }
  for (const ModelMask& mask : masks) {
    const std::vector<ModelMask> one = {mask};
    const Json found = on->evaluate(MaskedView(model.store(), one), "examples");
    if (!found.contains(name))
      throw Error(Exit::usage, "--utility is " + name + ", which " + config_.data + " has not", "--utility nll");
    values.push_back(found[name].get<double>());
  }
  return values;
}

std::vector<double> DataTask::likelihood(PruneModel& model, std::uint64_t round, const std::vector<ModelMask>& masks) {
  const auto on = drawn(model.model(), round);
  std::vector<double> values = means(model, *on, masks, false);
  for (double& value : values) value = -value;
  return values;
}

Json DataTask::measure(Model& model, const WeightView& view) {
  Json found = objective(model, eval_)->evaluate(view, "examples");
  found.erase("confusion");
  found["perplexity"] = std::exp(found["loss"].get<double>());
  return found;
}

double DataTask::targets() const {
  double count = 0;
  for (const Sequence& sequence : eval_.sequences.sequences) count += static_cast<double>(sequence.targets());
  return count;
}

std::vector<std::int32_t> DataTask::tokens() const {
  std::vector<std::int32_t> tokens;
  const auto add = [&](const std::vector<std::int32_t>& more) {
    tokens.insert(tokens.end(), more.begin(), more.end());
  };
  if (prompts_) {
    for (const Example& example : train_.labelled.examples) {
      add(example.prompt);
      add(prompts_->options()[static_cast<std::size_t>(example.label)]);
    }
  }
  for (const Sequence& sequence : train_.sequences.sequences) add(sequence.tokens);
  return tokens;
}

}  // namespace frugal
