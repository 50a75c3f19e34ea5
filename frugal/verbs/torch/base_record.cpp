#include "frugal/verbs/torch/base_record.h"

#include <filesystem>

#include "frugal/base/error.h"

namespace frugal {

Json model_record(const ModelSource& model, const std::string& sha256) {
  return {{"path", std::filesystem::absolute(model.path()).lexically_normal().string()},
          {"format", model.format()},
          {"sha256", sha256},
          {"metadata_sha256", model.metadata_sha256()}};
}

void require_metadata(const Json& record, const std::string& key, const ModelSource& model) {
  const Json known = record.value(key, Json::object());
  const auto began = known.is_object() ? known.value("metadata_sha256", Json()) : Json();
  if (!began.is_string() || began == model.metadata_sha256()) return;
  throw Error(Exit::input,
              "the configuration, tokenizer or chat template of " + model.path().string() +
                  " changed: they have sha256 " + model.metadata_sha256().substr(0, 12) + "..., the run began with " +
                  began.get<std::string>().substr(0, 12) + "...",
              "put them back as they were, or start a new run with another --out");
}

}  // namespace frugal
