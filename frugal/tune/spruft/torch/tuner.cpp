#include "frugal/base/log.h"
#include "frugal/train/parametrisation/selected_rows.h"
#include "frugal/tune/spruft/selection.h"
#include "frugal/tune/spruft/torch/row_scores.h"
#include "frugal/tune/torch/first_order_run.h"

namespace frugal {
namespace {

// Error(Exit::usage) for a score that the weights as they are kept do not give.
void check_score(const SpruftConfig& config, const WeightStore& store, std::size_t id) {
  if (!config.needs_gradients() || can_change(store.type(id))) return;
  const std::string type = store.type(id) == WeightType::nf4 ? "NF4" : store.source().tensors()[id].type;
  if (type == "F32" || type == "F16" || type == "BF16") return;
  throw Error(Exit::usage,
              "--score is " + config.score + ", but " + store.spec(id).name + " is kept as " + type +
                  ", and blocks as stored are not scored by gradients",
              "--score wanda, magnitude or quant-error; or --weights bf16");
}

// Rows of a tensor, or its columns, as a run's record has them, before they are believed.
std::vector<std::int32_t> recorded_lines(const TensorSpec& spec, bool is_columns, const Json& recorded) {
  const std::int64_t below = is_columns ? spec.cols : spec.rows;
  std::vector<std::int32_t> lines;
  std::int64_t before = -1;
  for (const Json& line : recorded) {
    const std::int64_t at = line.is_number_integer() ? line.get<std::int64_t>() : -1;
    if (at <= before || at >= below) {
      throw Error(Exit::input,
                  std::string("the run's record has ") + (is_columns ? "column " : "row ") + line.dump() + " of " +
                      spec.name + " after " + std::to_string(before) + ", expected them rising from 0 to " +
                      std::to_string(below - 1),
                  "the run's folder is damaged; copy it again, or tune again");
    }
    lines.push_back(static_cast<std::int32_t>(at));
    before = at;
  }
  return lines;
}

// The rows of a run: chosen at its start and recorded, by the names of their tensors.
std::vector<std::vector<std::int32_t>> rows_of(const SpruftConfig& config, TunerContext& context) {
  WeightStore& store = context.store;
  std::vector<std::vector<std::int32_t>> all(store.size());
  if (context.chosen.is_null()) {
    std::vector<std::size_t> linears;
    std::vector<std::string> names;
    for (std::size_t id = 0; id < store.size(); ++id) {
      if (!is_target(store.spec(id), config.targets)) continue;
      const TensorSpec& spec = store.spec(id);
      row_budget(config, spec.name, config.axis == "in" ? spec.cols : spec.rows);  // refuses before anything is scored
      check_score(config, store, id);
      linears.push_back(id);
      names.push_back(store.spec(id).name);
    }
    const auto scores =
        row_scores(config, context.run.batch, context.run.seed, store, context.threads, *context.objective, linears);
    const auto rows = select_rows(config, names, scores);
    context.chosen = {{"score", config.score}, {"rows", Json::object()}};
    for (std::size_t l = 0; l < names.size(); ++l) {
      if (!rows[l].empty()) context.chosen["rows"][names[l]] = rows[l];
    }
  }
  for (std::size_t id = 0; id < store.size(); ++id) {
    const auto found = context.chosen["rows"].find(store.spec(id).name);
    if (found != context.chosen["rows"].end()) all[id] = recorded_lines(store.spec(id), config.axis == "in", *found);
  }
  return all;
}

std::unique_ptr<Tuner> make(const SpruftConfig& given, TunerContext& context) {
  SpruftConfig config = given;
  const WeightType weights = context.run.weights;
  config.choose_score(weights);
  if (config.score == "zo-taylor" && !can_change(weights)) {
    throw Error(Exit::usage,
                std::string("--score is zo-taylor, but --weights ") + name(weights) + " cannot be perturbed",
                "--score wanda or magnitude, or --weights bf16");
  }
  auto rows =
      config.adapter.empty()
          ? std::make_unique<SelectedRows>(context.store, rows_of(config, context), config.axis == "in")
          : std::make_unique<SelectedRows>(context.store, read_rows_adapter(config.adapter, context.store.shape()));
  if (config.print_rows) {
    for (const Parameter& p : rows->parameters()) say(context.store.spec(p.id).name + " " + Json(p.rows).dump());
  }
  FirstOrderRun run = first_order_run(config.first_order, context.run);
  run.likely_rates = {3e-5, 1e-4, 3e-4, 1e-3};
  return std::make_unique<FirstOrderTuner>(std::move(rows), context.threads, context.objective, config.first_order,
                                           run);
}

}  // namespace

void register_tuner_tune_spruft(TunerRegistry& registry) { registry.add("spruft", make); }

}  // namespace frugal
