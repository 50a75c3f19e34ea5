#include "frugal/signals/swarm/torch/train_job.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "frugal/base/parallel.h"
#include "frugal/base/settings.h"
#include "frugal/base/units.h"
#include "frugal/core/random.h"
#include "frugal/signals/swarm/drawing.h"
#include "frugal/signals/swarm/torch/model_file.h"

namespace frugal::swarm {
namespace {

// Threads and denormal numbers as a step needs them; what others compute in this process finds both as they were.
// Moments of parameters that no longer get a gradient fall below 1e-38, where arithmetic is a hundred times slower.
class Computing {
 public:
  explicit Computing(int threads) : before_(torch::get_num_threads()) {
    if (threads != before_) torch::set_num_threads(threads);
    at::globalContext().setFlushDenormal(true);
  }
  ~Computing() {
    at::globalContext().setFlushDenormal(false);
    if (torch::get_num_threads() != before_) torch::set_num_threads(before_);
  }
  Computing(const Computing&) = delete;
  Computing& operator=(const Computing&) = delete;

 private:
  int before_;
};

// Steps an epoch: as many as make one about a second of a core, from the multiplications of forward and backward.
std::int64_t parts_of(const TrainConfig& c, std::int64_t parameters, std::int64_t window, std::int64_t train,
                      std::int64_t batches) {
  const double positions = c.model == "fc" ? 1 : static_cast<double>(window);
  const double work = 6.0 * static_cast<double>(parameters) * positions * static_cast<double>(train);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(work / 5e10), 1, batches);
}

double number_or_nan(const Json& value) { return value.is_number() ? value.get<double>() : NAN; }

}  // namespace

TrainJob::TrainJob(const TrainConfig& config, const JobContext& context)
    : config_(config),
      seed_(static_cast<std::uint64_t>(context.run.seed)),
      threads_(static_cast<int>(std::max<std::int64_t>(1, context.run.threads))),
      data_(make_data(config, seed_, threads_or_cores(context.run.threads))) {
  config_.window = data_.window;
  card_ = {.config = config_, .steps = data_.steps};
  classifier_ = std::make_shared<tsc::Classifier>(make_classifier(card_, seed_));
  trained_ = std::make_unique<TrainedParameters>(*classifier_);
  validation_ = part(data_.split.validation);
  const auto train = static_cast<std::int64_t>(data_.split.train.size());
  batches_ = (train + config_.batch - 1) / config_.batch;
  parts_ = parts_of(config_, trained_->count(), data_.window, train, batches_);
}

TrainJob::Part TrainJob::part(const std::vector<std::int64_t>& of) const {
  const torch::Tensor at = indices(of);
  return {data_.x.index_select(0, at), data_.labels.index_select(0, at)};
}

std::int64_t TrainJob::steps() const { return (at_.has_stopped ? at_.epochs : config_.epochs) * parts_; }

void TrainJob::look_up_order(std::int64_t epoch) {
  if (ordered_epoch_ == epoch || (!config_.reshuffle && ordered_epoch_ >= 0)) return;
  order_ = data_.split.train;
  ordered_epoch_ = epoch;
  if (!config_.reshuffle) return;  // shuffled once, by the split
  const auto places = random_permutation(
      static_cast<std::int64_t>(order_.size()),
      {.seed = seed_, .stream = named_stream("swarm.order"), .step = static_cast<std::uint64_t>(epoch)});
  for (std::size_t k = 0; k < order_.size(); ++k) order_[k] = data_.split.train[static_cast<std::size_t>(places[k])];
}

// The mean loss of the batch; where it is not finite, nothing is changed.
double TrainJob::train_batch(std::int64_t epoch, std::int64_t batch) {
  const auto size = static_cast<std::int64_t>(order_.size()), first = batch * config_.batch;
  const torch::Tensor at =
      torch::from_blob(&order_[static_cast<std::size_t>(first)], {std::min(config_.batch, size - first)}, torch::kLong);
  torch::Tensor x = data_.x.index_select(0, at);
  const auto step = static_cast<std::uint64_t>(epoch * batches_ + batch);
  if (config_.permute_agents) {
    const std::int64_t agents = config_.engagement.agents;
    const auto places =
        random_permutation(agents, {.seed = seed_, .stream = named_stream("swarm.agents"), .step = step});
    std::vector<std::int64_t> rows;
    for (std::int64_t f = 0; f < x.size(1); ++f)
      rows.push_back(f / agents * agents + places[static_cast<std::size_t>(f % agents)]);
    x = x.index_select(1, indices(rows));
  }
  classifier_->at_step(step);
  trained_->clear_gradients();
  const torch::Tensor loss = tsc::loss(classifier_->forward(x), data_.labels.index_select(0, at));
  const double value = loss.item<double>();
  if (!std::isfinite(value)) return value;
  loss.backward();
  trained_->adam({.lr = config_.lr}, ++at_.updates);
  at_.sum += value * static_cast<double>(at.numel()), at_.seen += static_cast<double>(at.numel());
  return value;
}

StepResult TrainJob::step(std::int64_t index) {
  const Computing computing(threads_);
  StepResult result;
  const std::int64_t epoch = index / parts_, which = index % parts_;
  if (at_.has_stopped) {
    result.value = at_.validation_loss;
    return result;
  }
  look_up_order(epoch);
  classifier_->train();
  bool has_changed = false;
  double value = 0;
  for (std::int64_t b = batches_ * which / parts_; b < batches_ * (which + 1) / parts_; ++b) {
    value = train_batch(epoch, b);
    has_changed |= std::isfinite(value);
  }
  result.skipped = !has_changed;
  result.value = at_.seen > 0 ? at_.sum / at_.seen : value;
  result.event = {{"epoch", epoch + 1}, {"loss", result.value}};
  if (which + 1 == parts_) {
    end_epoch();
    result.event["validation_loss"] = at_.validation_loss;
    result.event["validation_accuracy"] = at_.validation_accuracy;
    if (at_.has_stopped)
      result.event["stopped"] = "no lower validation loss for " + std::to_string(config_.patience) + " epochs";
  }
  return result;
}

void TrainJob::end_epoch() {
  ++at_.epochs;
  at_.sum = at_.seen = 0;
  const Answers answers = answer(*classifier_, validation_.x, validation_.labels);
  at_.validation_loss = answers.loss;
  at_.validation_accuracy = measure(answers, validation_.labels, config_.output == "mh").accuracy;
  if (answers.loss < at_.best_loss - config_.min_delta || at_.best_epoch == 0) {
    at_.best_loss = std::isfinite(answers.loss) ? answers.loss : std::numeric_limits<double>::infinity();
    at_.best_accuracy = at_.validation_accuracy;
    at_.best_epoch = at_.epochs;
    at_.waited = 0;
    trained_->keep_best();
  } else {
    at_.has_stopped = ++at_.waited >= config_.patience;
  }
}

void TrainJob::state(State& state, std::int64_t) {
  state.value("position", at_);
  trained_->visit([&](std::string name, std::span<std::byte> part) { state.bytes(std::move(name), part); });
}

Json TrainJob::evaluate(std::int64_t, Figures&) {
  const Computing computing(threads_);
  const Answers answers = answer(*classifier_, validation_.x, validation_.labels);
  const Measured measured = measure(answers, validation_.labels, config_.output == "mh");
  return {{"data", "validation"}, {"accuracy", measured.accuracy}, {"loss", measured.loss}};
}

Json TrainJob::describe(Json&) {
  return {{"data",
           {{"engagements", data_.x.size(0)},
            {"features", data_.x.size(1)},
            {"window", data_.window},
            {"shortest_engagement", data_.steps},
            {"train", data_.split.train.size()},
            {"validation", data_.split.validation.size()},
            {"test", data_.split.test.size()}}},
          {"parameters", trained_->count()},
          {"steps_per_epoch", parts_}};
}

Finished TrainJob::finish(Ending& ending) {
  const Computing computing(threads_);
  if (at_.best_epoch > 0) trained_->restore_best();
  const Part test = part(data_.split.test);
  const Measured measured = measure(answer(*classifier_, test.x, test.labels), test.labels, config_.output == "mh");
  draw_figures(measured, ending.figures);
  Finished finished;
  finished.weights_sha256 = write_model(ending.folder.path(), card_, *classifier_, data_.scaler);
  // No key is an option's name: a sweep puts both in one row.
  finished.results = measured.json();
  finished.results["tested"] = measured.runs;
  finished.results.erase("runs");
  finished.results["validation_loss"] = at_.best_loss;
  finished.results["validation_accuracy"] = at_.best_accuracy;
  finished.results["best_epoch"] = at_.best_epoch;
  finished.results["epochs_trained"] = at_.epochs;
  finished.results["parameters"] = trained_->count();
  finished.results["steps_observed"] = data_.window;
  if (at_.best_epoch > 0)  // of all epochs, where evaluations are of some
    finished.results["best"] = {
        {"step", at_.best_epoch * parts_}, {"metric", at_.best_loss}, {"metric_name", "loss"}, {"loss", at_.best_loss}};
  return finished;
}

std::string TrainJob::closing(const Json& results, const RunFolder& folder) const {
  const auto line = [](const char* name, const char* format, auto... values) {
    char text[400], all[440];
    std::snprintf(text, sizeof text, format, values...);
    std::snprintf(all, sizeof all, "%-15s %s\n", name, text);
    return std::string(all);
  };
  const std::string run = folder.path().string();
  std::string text = "run             " + run + "\n";
  text +=
      line("trained", "%lld epochs in %s, %lld parameters, peak memory %s", results["epochs_trained"].get<long long>(),
           format_seconds(results["seconds"].get<double>()).c_str(), results["parameters"].get<long long>(),
           format_bytes(results["peak_rss_bytes"].get<std::uint64_t>()).c_str());
  text += line("best epoch", "%lld, validation loss %.4f nats, accuracy %.4f", results["best_epoch"].get<long long>(),
               number_or_nan(results["validation_loss"]), number_or_nan(results["validation_accuracy"]));
  text += line("tested on", "%lld engagements that it was not trained on, the first %lld steps of each",
               results["tested"].get<long long>(), results["steps_observed"].get<long long>());
  text += scores_text(results);
  text += line("loss", "%.4f nats", number_or_nan(results["loss"]));
  return text + "next: frugal swarm evaluate " + run + " --data tracks.csv\n      (frugal swarm simulate --seed " +
         std::to_string(config_.runs + 1) + more_options() + " --out tracks.csv makes tracks that are new to it)\n";
}

// What `simulate` needs for engagements of this run's kind.
std::string TrainJob::more_options() const {
  std::string text;
  const EngagementOptions& own = config_.engagement;
  const Json given = to_json(own), usual = to_json(EngagementOptions());
  for (const auto& [name, value] : given.items()) {
    if (value == usual[name]) continue;
    text += " " + flag_name(name);
    if (!value.is_boolean()) text += " " + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

void TrainJob::draw_figures(const Measured& test, Figures& figures) const {
  HeatMap map{.name = "confusion", .title = "What was said of the test engagements of each tactic"};
  FigureTable table{
      .name = "tactics", .title = "Test engagements", .columns = {"tactic", "runs", "recall", "precision"}};
  for (std::size_t k = 0; k < kTactics; ++k) {
    map.rows.emplace_back(name(static_cast<Tactic>(k)));
    map.columns.emplace_back(name(static_cast<Tactic>(k)));
    std::int64_t all = 0;
    for (const std::int64_t count : test.confusion[k]) all += count;
    for (const std::int64_t count : test.confusion[k])
      map.values.push_back(static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(1, all)));
  }
  map.note = "Rows: the tactic there was; columns: what was said; shares of the row.";
  figures.add(map);
  const Json json = test.json();
  for (const Json& row : json["classes"])
    table.rows.push_back({row["tactic"], row["runs"], row["recall"], row["precision"]});
  figures.add(table);
  if (!test.by_step.empty()) {
    Series series{.name = "test"};
    for (std::size_t t = 0; t < test.by_step.size(); ++t)
      series.x.push_back(static_cast<double>(t + 1)), series.y.push_back(test.by_step[t]);
    figures.add(Figure{.name = "steps",
                       .title = "Accuracy after so many steps",
                       .x_name = "steps seen",
                       .y_name = "accuracy",
                       .series = {series}});
  }
  const auto seed = static_cast<std::uint32_t>(data_.split.test.front() % config_.runs + 1);
  figures.add(engagement_figure(config_.engagement.engagement(), Tactic::auction_plus, seed, data_.window));
}

}  // namespace frugal::swarm
