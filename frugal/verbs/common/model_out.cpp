#include "frugal/verbs/common/model_out.h"

#include "frugal/base/validate.h"
#include "frugal/verbs/common/options.h"

namespace frugal {
namespace {
std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}
}  // namespace

void settle_model_out(Json& settings, const std::vector<std::string>& also) {
  const auto out = settings.value("out", std::string());
  if (out.empty()) return;
  const auto check = [&](const std::string& path) {
    validate(ExportConfig{.out = path, .dtype = settings.value("dtype", std::string("bf16"))});
  };
  check(out);
  std::string name = without_slash(out);
  for (const std::string& mark : also) check(marked_model(name, mark));
  settings["out"] = name.append(kRunEnd);
  if (!settings.value("dry_run", false)) require_new_folder(settings["out"]);
}

std::string marked_model(const std::string& out, const std::string& mark) {
  constexpr std::string_view kGguf = ".gguf";
  if (!out.ends_with(kGguf)) return out + "-" + mark;
  return out.substr(0, out.size() - kGguf.size()) + "-" + mark + std::string(kGguf);
}

std::string model_of_run(const std::filesystem::path& run) {
  const std::string path = without_slash(std::filesystem::absolute(run).lexically_normal().string());
  return path.ends_with(kRunEnd) ? path.substr(0, path.size() - kRunEnd.size()) : path + "/model";
}

}  // namespace frugal
