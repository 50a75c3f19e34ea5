#include "frugal/tune/low_rank_face.h"
#include "frugal/tune/sparse_mezo/config.h"
#include "frugal/tune/zeroth_order_plan.h"

namespace frugal {

namespace {

MethodPlan plan(const PlanRequest& request, const Json&, const SparseMezoConfig& config) {
  return plan_zeroth_order(in_parts(request, config.mezo),
                           {config.mezo.samples, !config.mask.dynamic_mask || config.mask.mask.starts_with("file:"),
                            pairs_of(request, config.mezo)});
}

}  // namespace

void register_tune_sparse_mezo(MethodTable& table) {
  MethodInfo method = describe_method<SparseMezoConfig>(
      "sparse-mezo", "MeZO on the weights of small magnitude, with larger steps", "arXiv:2402.15751", plan, 60);
  method.leaves_weights = trains_pairs;
  add_pair_faces(method, false);
  method.input_files = [](const Json& settings) {
    std::vector<InputFile> files = pair_files(settings);
    if (const std::string mask = settings.value("mask", std::string()); mask.starts_with("file:")) {
      const std::string path = std::filesystem::absolute(mask.substr(5)).lexically_normal().string();
      files.push_back({"mask", path, "mask", "file:" + path});
    }
    return files;
  };
  method.sst2 = 0.803;
  table.add(std::move(method));
}

}  // namespace frugal
