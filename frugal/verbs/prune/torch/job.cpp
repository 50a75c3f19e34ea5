// The job of frugal prune: a method's steps, the perplexity on the way, and the model at the end.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "frugal/base/atomic_file.h"
#include "frugal/base/log.h"
#include "frugal/base/room.h"
#include "frugal/base/sha256.h"
#include "frugal/base/units.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/formats/padded_model.h"
#include "frugal/plan/choices.h"
#include "frugal/plan/cuts.h"
#include "frugal/prune/torch/pruner.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/train/objective/window_loss.h"
#include "frugal/verbs/common/kept_vocabulary.h"
#include "frugal/verbs/common/model_out.h"
#include "frugal/verbs/prune/config.h"
#include "frugal/verbs/prune/plan.h"
#include "frugal/verbs/prune/texts.h"
#include "frugal/verbs/prune/torch/data_task.h"
#include "frugal/verbs/prune/torch/pictures.h"
#include "frugal/verbs/torch/base_record.h"
#include "frugal/verbs/torch/session.h"
#include "frugal/verbs/torch/write_model.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

class PruneJob : public Job {
 public:
  PruneJob(const Json& settings, const JobContext& context)
      : config_(from_json<PruneVerbConfig>(settings)),
        utility_(settings.value("utility", std::string())),
        seed_(static_cast<std::uint64_t>(context.run.seed)),
        threads_(thread_count(config_.compute.threads), single_threaded_torch,
                 crowd(config_.compute.threads, context.run.memory.count > 0)),
        given_(ModelSource::open(config_.model)),
        words_(config_.prune.vocabulary_from.empty() ? SmallerVocabulary{}
                                                     : kept_vocabulary(*given_, config_.prune.vocabulary_from)),
        source_(words_.kept.empty() ? given_ : with_vocabulary(given_, words_)),
        tokenizer_(source_->tokenizer()),
        task_(config_.has_examples() ? std::make_unique<DataTask>(config_, utility_, *source_, seed_) : nullptr),
        texts_(task_ ? PruneTexts(task_->tokens())
                     : PruneTexts(config_, measured_length(given_->shape().context), *tokenizer_,
                                  has_fewer_tokens() ? given_->tokenizer().get() : nullptr)),
        window_as_given_(
            choices_of(settings.value("choices", Json::object()).value("as_given", Json::object())).file_window),
        model_(source_, config_.compute.weight_type(), compute_of(config_.compute), threads_, texts_.tokens,
               tokenizer_->model().add_bos ? tokenizer_->model().bos : -1, choices_of(settings).file_window) {
    if (context.record != nullptr) require_metadata(*context.record, "base", *given_);
    if (config_.prune.sparsity == 0) return;
    PrunerRegistry registry;
    register_pruners(registry);
    const std::string regression = settings.value("regression", std::string("none"));
    if (regression != "none") value_name_ = utility_ == "nll" || utility_ == "ppl" ? "loss" : utility_;
    pruner_ = registry.make(config_.method, settings, {model_, config_.prune, seed_, task_.get()});
  }

  // The method's, and one of refitting; of the vocabulary alone one, in which no unit goes.
  std::int64_t steps() const override { return of_method() + (config_.refit.is_wanted() ? 1 : 0); }
  StepResult step(std::int64_t index) override {
    after_ = {};
    if (index == of_method()) return refit();
    if (!pruner_) return {.value = 0};
    StepResult result = pruner_->step(index);
    const std::vector<std::int64_t> goals = pruner_->goal_steps();
    if (std::find(goals.begin(), goals.end() - 1, index + 1) != goals.end() - 1) {
      const std::vector<std::uint8_t> left = model_.left();
      also_.insert(also_.end(), left.begin(), left.end());
    }
    return result;
  }
  void state(State& state, std::int64_t) override {
    model_.state(state);
    state.value("before", before_.loss);
    state.value("metric_before", before_.metric);
    state.list("sizes", sizes_);
    state.list("qualities", qualities_);
    state.list("also", also_);
    state.value("targets", targets_);
    state.value("drawn", drawn_);
    state.value("refitted", is_refitted_);
    if (pruner_) pruner_->state(state);
  }
  const char* value_name() const override { return value_name_.c_str(); }
  std::string closing(const Json& results, const RunFolder& folder) const override {
    const auto line = [](const char* format, auto... values) {
      char text[200];
      std::snprintf(text, sizeof text, format, values...);
      return std::string(text);
    };
    const auto number = [&](const char* key) { return results[key].get<double>(); };
    const std::string model = results["model"];
    const std::string asked = config_.prune.sparsity - number("sparsity") > 0.01
                                  ? line(" (of %.1f %% that --sparsity asks for)", 100 * config_.prune.sparsity)
                                  : "";
    std::string text =
        line("removed     %.1f %% of the blocks' parameters%s; %.1f million are left, %s\n", 100 * number("sparsity"),
             asked.c_str(), number("parameters") / 1e6,
             format_bytes(results["file_bytes"].get<std::uint64_t>()).c_str()) +
        line("perplexity  %.3f before, %.3f after\n", number("perplexity_before"), number("perplexity_after"));
    if (results.contains("metric") && results["metric"] != "perplexity")
      text += line("%-11s %.4f before, %.4f after\n", results["metric"].get<std::string>().c_str(),
                   number("metric_before"), number("metric_after"));
    if (results.contains("vocabulary"))
      text += line("vocabulary  %lld of %lld tokens; the measured text takes %.1f %% more of them\n",
                   results["vocabulary"].get<long long>(), results["vocabulary_before"].get<long long>(),
                   100 * number("more_tokens"));
    for (const Json& other : results.value("also", Json::array()))
      text +=
          "also        " + other["model"].get<std::string>() +
          line(": %.1f %% removed, %s, perplexity %.3f\n", 100 * other["sparsity"].get<double>(),
               format_bytes(other["file_bytes"].get<std::uint64_t>()).c_str(), other["perplexity_after"].get<double>());
    return text + "model       " + model + "\nrun         " + folder.path().string() + "\nnext        frugal adapt " +
           model + " --teacher " + config_.model + " --data " + config_.data + " --out repaired\n";
  }
  std::string identity() override { return source_sha256_; }
  void require_inputs() override { given_->require_unchanged(); }

  Json describe(Json& settings) override {
    Json files = Json::object();
    for (const char* name : {"model", "data", "eval", "vocabulary_from"}) {
      if (settings.value(name, "").empty()) continue;
      settings[name] = fs::absolute(settings[name].get<std::string>()).lexically_normal().string();
      if (std::string(name) != "model")
        files[name] = {{"path", settings[name]}, {"sha256", sha256_file(settings[name].get<std::string>())}};
    }
    return {{"base", model_record(*given_, source_sha256_)}, {"files", files}};
  }

  Json evaluate(std::int64_t step, Figures& figures) override {
    if (step > 0 && step < of_method() && !pruner_->has_changed(step)) return nullptr;
    if (step > of_method()) require_refit();
    Measured& measured = step == 0 ? before_ : after_;
    measured = step == 0 && has_fewer_tokens() ? measure_as_given() : measure();
    if (step == 0 && !std::isfinite(measured.loss))
      throw Error(Exit::diverged, "the loss of the model as it is given is no number",
                  "check the model with frugal eval, and what it is measured on");
    const ModelShape left = step == 0 ? given_->shape() : model_.survivors().shape();
    const double size = 1 - model_.survivors().sparsity();
    if (step != drawn_) sizes_.push_back(size), qualities_.push_back(shown(measured));
    drawn_ = step;
    draw_quality(figures, task_ ? task_->metric_name() : "perplexity", sizes_, qualities_);
    draw_left(figures, given_->shape(), model_.survivors().kept());
    draw_importance(figures, given_->shape(), model_.scores());
    Json found = {{"perplexity", std::exp(measured.loss)}, {"loss", measured.loss}};
    if (task_) found[task_->metric_name()] = measured.metric;
    found.update({{"sparsity", model_.survivors().sparsity()}, {"parameters", parameter_count(left)}});
    return found;
  }

  Finished finish(Ending& ending) override {
    require_refit();
    const fs::path run = ending.folder.path();
    Json results = write(run, std::isnan(after_.loss) ? measure() : after_, model_of_run(run));
    results["perplexity_before"] = std::exp(before_.loss);
    if (task_) {
      results["metric"] = task_->metric_name();
      results["metric_before"] = before_.metric;
    }
    if (has_fewer_tokens()) {
      results["vocabulary"] = source_->shape().vocab;
      results["vocabulary_before"] = given_->shape().vocab;
      results["more_tokens"] = more_tokens() - 1;
    }
    if (!config_.prune.also.empty()) results["also"] = write_also(run);
    return {.results = std::move(results)};
  }

 private:
  bool has_fewer_tokens() const { return source_ != given_; }
  // What is left, by the indices of the model as it was given.
  std::string record() {
    Json record = {{"base_sha256", source_sha256_},
                   {"method", config_.method},
                   {"sparsity", model_.survivors().sparsity()},
                   {"layers", kept_json(given_->shape(), model_.survivors().kept())}};
    if (has_fewer_tokens()) record["tokens"] = words_.kept;
    return record.dump() + "\n";
  }
  struct Measured {
    double loss = NAN, metric = NAN;  // metric: of a task
  };
  double shown(const Measured& measured) const { return task_ ? measured.metric : std::exp(measured.loss); }
  Measured measure() {
    // Per token of the model as it is given, so that before and after compare.
    if (!task_) return {texts_.ratio * model_.loss(texts_.eval)};
    return of_task(task_->measure(model_.model(), BaseView(model_.store())), more_tokens());
  }
  // Tokens that what is measured takes for one of the model as it is given; of labels 1: words that are scored.
  double more_tokens() const { return task_ && targets_ > 0 ? task_->targets() / targets_ : texts_.ratio; }
  Measured of_task(const Json& found, double ratio) const {
    const double loss = ratio * found["loss"].get<double>();
    return {loss, task_->metric_name() == "perplexity" ? std::exp(loss) : found[task_->metric_name()].get<double>()};
  }
  Measured measure_as_given() {
    model_.unload();  // one of the two at a time
    WeightStore store(given_, config_.compute.weight_type(), threads_);
    if (window_as_given_ > 0) store.keep_resident(window_as_given_);
    Decoder decoder(store.shape(), threads_, compute_of(config_.compute));
    if (task_) {
      DataTask task(config_, utility_, *given_, seed_);
      targets_ = task.targets();
      return of_task(task.measure(decoder, BaseView(store)), 1);
    }
    return {window_loss(decoder, BaseView(store), texts_.before, static_cast<std::int64_t>(texts_.before.size()),
                        kPackedTokens)
                .mean()};
  }
  // Writes the model as it is; what is said of it.
  Json write(const fs::path& run, const Measured& measured, const std::string& out) {
    std::shared_ptr<const ModelSource> small = model_.result();
    if (config_.prune.layout == "padded") small = open_padded(std::move(small));
    model_.unload();  // what is written comes from the file
    const RowReader rows = [&](std::size_t index, std::int64_t begin, std::int64_t end, float* to) {
      small->read_rows(index, begin, end, to);
    };
    write_model_of_run(run, *small, rows, config_.dtype, out, {{"frugal_pruning.json", record()}});
    Json said = {{"model", out},
                 {"sparsity", model_.survivors().sparsity()},
                 {"parameters", parameter_count(small->shape())},
                 {"layers", small->shape().layers.size()},
                 {"file_bytes", ModelSource::open(out)->file_bytes()},
                 {"perplexity_after", std::exp(measured.loss)}};
    if (task_) said["metric_after"] = measured.metric;
    return said;
  }
  // The models on the way, smallest sparsity first.
  Json write_also(const fs::path& run) {
    Json all = Json::array();
    const std::size_t units = model_.left().size();
    const std::vector<std::string> marks = config_.prune.marks();
    for (std::size_t k = 0; k < marks.size(); ++k) {
      const auto begin = also_.begin() + static_cast<std::ptrdiff_t>(k * units);
      model_.go_back({begin, begin + static_cast<std::ptrdiff_t>(units)});
      require_refit();
      all.push_back(write(run, measure(), marked_model(model_of_run(run), marks[k])));
    }
    return all;
  }
  std::int64_t of_method() const { return pruner_ ? pruner_->steps() : 1; }
  // A step of its own behind the method's, so that a run that is resumed goes on with it; what it makes is not kept in
  // snapshots but made again, to the same bits.
  StepResult refit() {
    is_refitted_ = 1;
    require_refit();
    const double sparsity = model_.survivors().sparsity();
    return {.value = sparsity, .event = {{"sparsity", sparsity}, {"refitted", true}}};
  }
  void require_refit() {
    if (is_refitted_ == 0 || model_.is_refitted()) return;
    constexpr std::uint64_t kRound = std::uint64_t{1} << 32;  // no method's
    model_.refit(model_.windows(seed_, kRound, config_.refit.windows, config_.prune.window_length),
                 {config_.refit.reconstruct, config_.refit.compensate});
  }
  const PruneVerbConfig config_;
  const std::string utility_;
  const std::uint64_t seed_;
  Threads threads_;
  std::shared_ptr<const ModelSource> given_;
  const SmallerVocabulary words_;              // that are kept; none: all
  std::shared_ptr<const ModelSource> source_;  // with these
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<DataTask> task_;  // null: text
  PruneTexts texts_;
  const std::uint64_t window_as_given_;  // of the file, while the model as it was given is measured
  PruneModel model_;
  std::unique_ptr<Pruner> pruner_;
  const std::string source_sha256_ = given_->sha256();
  std::uint8_t is_refitted_ = 0;
  std::vector<std::uint8_t> also_;         // which units were left at each goal that is reached, one byte each
  std::vector<double> sizes_, qualities_;  // of what was evaluated: share that is left, perplexity or metric
  std::string value_name_ = "sparsity";    // of masked models: loss, or a metric
  std::int64_t drawn_ = -1;                // the step of the last of them
  double targets_ = 0;                     // tokens of answers that are measured, as the model that is given has them
  Measured before_, after_;                // on what is measured; after_: no numbers since the last step
};

}  // namespace

void register_torch_job_verbs_prune(JobTable& table) {
  table.raw_job("prune", [](const Json& settings, const JobContext& context) -> std::unique_ptr<Job> {
    validate_prune_settings(settings);
    keep_kernels(kPruningKernels);
    return std::make_unique<PruneJob>(settings, context);
  });
}

}  // namespace frugal
