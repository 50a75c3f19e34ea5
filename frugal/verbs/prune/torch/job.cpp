// The job of frugal prune: a method's steps, the perplexity on the way, and the model at the end.
#include <cmath>
#include <filesystem>

#include "frugal/base/atomic_file.h"
#include "frugal/base/sha256.h"
#include "frugal/base/units.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/data/text_windows.h"
#include "frugal/plan/choices.h"
#include "frugal/prune/torch/pruner.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/verbs/common/model_out.h"
#include "frugal/verbs/prune/config.h"
#include "frugal/verbs/torch/session.h"
#include "frugal/verbs/torch/write_model.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// What is pruned on, and what is measured: --eval, or the last tenth of the text's lines.
struct Texts {
  Texts(const PruneVerbConfig& c, const Tokenizer& tokenizer) {
    std::string text = read_file(c.data), measured;
    if (!c.eval.empty()) {
      measured = read_file(c.eval);
    } else {
      std::size_t cut = text.size() / 10 * 9;
      const std::size_t line = text.find('\n', cut);
      if (line != std::string::npos) cut = line + 1;
      measured = text.substr(cut);
      text.resize(cut);
    }
    tokens = tokenizer.encode(text);
    eval = text_windows(tokenizer, measured, kMeasuredLength);
    if (c.eval_windows > 0 && static_cast<std::int64_t>(eval.size()) > c.eval_windows)
      eval.resize(static_cast<std::size_t>(c.eval_windows));
  }
  std::vector<std::int32_t> tokens;
  Windows eval;
};

class PruneJob : public Job {
 public:
  PruneJob(const Json& settings, const JobContext& context)
      : config_(from_json<PruneVerbConfig>(settings)),
        seed_(static_cast<std::uint64_t>(context.run.seed)),
        threads_(thread_count(config_.compute.threads), single_threaded_torch,
                 crowd(config_.compute.threads, context.run.memory.count > 0)),
        source_(ModelSource::open(config_.model)),
        tokenizer_(source_->tokenizer()),
        texts_(config_, *tokenizer_),
        model_(source_, config_.compute.weight_type(), compute_of(config_.compute), threads_, texts_.tokens,
               tokenizer_->model().add_bos ? tokenizer_->model().bos : -1, choices_of(settings).file_window) {
    PrunerRegistry registry;
    register_pruners(registry);
    pruner_ = registry.make(config_.method, settings, {model_, config_.prune, seed_});
  }

  std::int64_t steps() const override { return pruner_->steps(); }
  StepResult step(std::int64_t index) override {
    after_ = NAN;
    return pruner_->step(index);
  }
  void state(State& state, std::int64_t) override {
    model_.state(state);
    state.value("before", before_);
    pruner_->state(state);
  }
  const char* value_name() const override { return "loss"; }
  std::string closing(const Json& results, const RunFolder& folder) const override {
    const std::string model = results["model"];
    char text[400];
    std::snprintf(text, sizeof text,
                  "removed     %.1f %% of the blocks' parameters; %.1f million are left, %s\n"
                  "perplexity  %.3f before, %.3f after\n",
                  100 * results["sparsity"].get<double>(), results["parameters"].get<double>() / 1e6,
                  format_bytes(results["file_bytes"].get<std::uint64_t>()).c_str(),
                  results["perplexity_before"].get<double>(), results["perplexity_after"].get<double>());
    return text + ("model       " + model + "\nrun         " + folder.path().string() + "\nnext: frugal tune " + model +
                   " --data train.jsonl --method lora --out tuned\n");
  }
  std::string identity() override { return source_sha256_; }

  Json describe(Json& settings) override {
    Json files = Json::object();
    for (const char* name : {"model", "data", "eval"}) {
      if (settings.value(name, "").empty()) continue;
      settings[name] = fs::absolute(settings[name].get<std::string>()).lexically_normal().string();
      if (std::string(name) != "model")
        files[name] = {{"path", settings[name]}, {"sha256", sha256_file(settings[name].get<std::string>())}};
    }
    return {{"base", {{"path", settings["model"]}, {"format", source_->format()}, {"sha256", source_sha256_}}},
            {"files", files}};
  }

  Json evaluate(std::int64_t step, Figures& figures) override {
    if (step > 0 && !pruner_->has_changed(step) && step < steps()) return nullptr;
    const double loss = model_.loss(texts_.eval), sparsity = model_.survivors().sparsity();
    (step == 0 ? before_ : after_) = loss;
    draw(figures);
    return {{"perplexity", std::exp(loss)},
            {"loss", loss},
            {"sparsity", sparsity},
            {"parameters", parameter_count(model_.shape())}};
  }

  Finished finish(Ending& ending) override {
    const double after = std::isnan(after_) ? model_.loss(texts_.eval) : after_;
    const std::string out = model_of_run(ending.folder.path());
    const std::unique_ptr<ModelSource> small = open_shrunk(source_, model_.survivors().kept(), true);
    model_.unload();  // what is written comes from the file
    const RowReader rows = [&](std::size_t index, std::int64_t begin, std::int64_t end, float* to) {
      small->read_rows(index, begin, end, to);
    };
    write_model(*small, rows, config_.dtype, out);
    const auto written = ModelSource::open(out);
    return {.results = {{"model", out},
                        {"sparsity", model_.survivors().sparsity()},
                        {"parameters", parameter_count(small->shape())},
                        {"layers", small->shape().layers.size()},
                        {"file_bytes", written->file_bytes()},
                        {"perplexity_before", std::exp(before_)},
                        {"perplexity_after", std::exp(after)}}};
  }

 private:
  // The share of each layer's heads and neurons that is left.
  void draw(Figures& figures) {
    const ModelShape &all = source_->shape(), &left = model_.shape();
    HeatMap map{.name = "left", .title = "What is left of each layer", .columns = {"key heads", "neurons"}};
    for (std::size_t l = 0; l < all.layers.size(); ++l) {
      map.rows.push_back(std::to_string(l));
      map.values.push_back(static_cast<double>(left.layers[l].kv_heads) / static_cast<double>(all.layers[l].kv_heads));
      map.values.push_back(static_cast<double>(left.layers[l].ffn) / static_cast<double>(all.layers[l].ffn));
    }
    figures.add(map);
  }

  const PruneVerbConfig config_;
  const std::uint64_t seed_;
  Threads threads_;
  std::shared_ptr<const ModelSource> source_;
  std::unique_ptr<Tokenizer> tokenizer_;
  Texts texts_;
  PruneModel model_;
  std::unique_ptr<Pruner> pruner_;
  const std::string source_sha256_ = source_->sha256();
  double before_ = NAN, after_ = NAN;  // losses on the text that is measured; after_: none since the last step
};

}  // namespace

void register_torch_job_verbs_prune(JobTable& table) {
  table.raw_job("prune", [](const Json& settings, const JobContext& context) -> std::unique_ptr<Job> {
    return std::make_unique<PruneJob>(settings, context);
  });
}

}  // namespace frugal
