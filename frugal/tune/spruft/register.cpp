#include <map>

#include "frugal/formats/adapter/rows_adapter.h"
#include "frugal/tune/first_order_plan.h"
#include "frugal/tune/low_rank_face.h"
#include "frugal/tune/spruft/selection.h"

namespace frugal {
namespace {

// Rows in fp32 beside the base, their gradients and state; before the first step the dense gradients that scores are
// made from.
MethodPlan plan(const PlanRequest& request, const Json&, const SpruftConfig& given) {
  SpruftConfig config = given;
  config.choose_score(request.weights);
  std::map<std::string, std::uint64_t> numbers;  // trained, by tensor
  std::uint64_t trained = 0, scored = 0, linears = 0;
  if (!config.adapter.empty()) {
    for (const TrainedLines& part : read_rows_adapter(config.adapter, request.shape).parts)
      numbers[part.tensor] = part.values.size();
  }
  for (const TensorSpec& spec : tensor_specs(request.shape)) {
    if (!is_target(spec, config.targets)) continue;
    linears += numbers_in(spec);
    if (!config.adapter.empty()) continue;
    const bool is_columns = config.axis == "in";
    numbers[spec.name] = static_cast<std::uint64_t>(row_budget(config, spec.name, is_columns ? spec.cols : spec.rows)) *
                         static_cast<std::uint64_t>(is_columns ? spec.rows : spec.cols);
  }
  for (const auto& [name, count] : numbers) trained += count;
  const bool is_dense = config.needs_gradients() && config.adapter.empty();
  const auto layers = static_cast<double>(request.shape.layers.size());
  if (is_dense)
    scored = static_cast<std::uint64_t>(
        static_cast<double>(linears) *
        (config.score_layers > 0 ? std::min(1.0, static_cast<double>(config.score_layers) / layers) : 1));
  FirstOrderPlan method = first_order_plan(config.first_order, request, false);
  method.trained = trained;
  method.beside = 4 * trained;
  method.gradients = gradients_held(config.first_order, request, [&](const TensorSpec& spec) {
    const auto own = numbers.find(spec.name);
    return own == numbers.end() ? 0 : own->second;
  });
  method.scored = scored;
  method.weight_gradients = linears == 0 ? 0 : static_cast<double>(trained) / static_cast<double>(linears);
  return plan_first_order(request, method, config.first_order.activations);
}

// What chooses the rows beside an adapter that has chosen them, or has no part in the choice.
void refuse_unused(const Settings& settings) {
  const auto text = [&](std::string_view name) { return settings.at(name).value.get<std::string>(); };
  for (const std::string_view name : SpruftConfig::kChoosing) {
    if (text("adapter").empty() || !is_given_here(settings, name)) continue;
    const std::string flag = flag_name(name);
    throw Error(Exit::usage, flag + " is given, but --adapter " + text("adapter") + " says which rows are trained",
                "leave " + flag + " out, or --adapter");
  }
  const auto refuse = [&](std::string_view name, const char* why) {
    if (!is_given_here(settings, name)) return;
    const std::string flag = flag_name(name);
    throw Error(Exit::usage, flag + " is given, but " + why, "leave " + flag + " out");
  };
  if (text("score") != "qm-taylor") refuse("aggregate", "it is for --score qm-taylor");
  if (text("score") != "zo-taylor") refuse("zo_directions", "it is for --score zo-taylor");
  refuse_unused_first_order_options(settings);
}

}  // namespace

void register_tune_spruft(MethodTable& table) {
  MethodInfo method = describe_method<SpruftConfig>("spruft", "the most important rows of each linear by AdamW",
                                                    "arXiv:2502.11439", plan, 30);
  method.leaves_weights = [](const Json&) { return true; };
  method.refuse_unused = refuse_unused;
  method.input_files = [](const Json& settings) {
    const std::string adapter = settings.value("adapter", std::string());
    if (adapter.empty()) return std::vector<InputFile>();
    const std::string path = std::filesystem::absolute(adapter).lexically_normal().string();
    return std::vector<InputFile>{{"adapter", path, "adapter", path}};
  };
  method.dpo_lr = 3e-5;
  method.sst2 = 0.873;
  table.add(std::move(method));
}

}  // namespace frugal
