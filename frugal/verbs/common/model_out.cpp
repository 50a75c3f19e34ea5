#include "frugal/verbs/common/model_out.h"

#include "frugal/base/validate.h"
#include "frugal/verbs/common/options.h"

namespace frugal {
namespace {
constexpr std::string_view kEnd = ".run";
}

void settle_model_out(Json& settings) {
  const auto out = settings.value("out", std::string());
  if (out.empty()) return;
  validate(ExportConfig{.out = out, .dtype = settings.value("dtype", std::string("bf16"))});
  std::string name = out;
  while (name.size() > 1 && name.ends_with('/')) name.pop_back();
  settings["out"] = name.append(kEnd);
  if (!settings.value("dry_run", false)) require_new_folder(settings["out"]);
}

std::string model_of_run(const std::filesystem::path& run) {
  std::string path = std::filesystem::absolute(run).lexically_normal().string();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path.ends_with(kEnd) ? path.substr(0, path.size() - kEnd.size()) : path + "/model";
}

}  // namespace frugal
