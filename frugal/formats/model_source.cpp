#include "frugal/formats/model_source.h"

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/formats/gguf/gguf_model.h"
#include "frugal/formats/safetensors/hf_model.h"

namespace frugal {

std::unique_ptr<ModelSource> ModelSource::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    throw Error(Exit::input, "there is no model at " + path.string(),
                "give a GGUF file or a Hugging Face folder (make model fetches a small one)");
  }
  if (std::filesystem::is_directory(path, ignored)) {
    if (!std::filesystem::exists(path / "config.json", ignored)) {
      throw Error(Exit::input, path.string() + " has no config.json",
                  "give a Hugging Face folder, or a GGUF file by its own name");
    }
    return open_hf_model(path);
  }
  char magic[4] = {};
  open_file(path).read(magic, 4);
  if (std::string_view(magic, 4) == "GGUF") return open_gguf_model(path);
  throw Error(Exit::input, path.string() + " is not a model",
              "give a GGUF file or a Hugging Face folder with config.json");
}

}  // namespace frugal
