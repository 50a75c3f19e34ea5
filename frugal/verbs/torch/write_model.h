// Writes a model to where --out says: a GGUF file or a Hugging Face folder.
#pragma once
#include <map>

#include "frugal/formats/model_source.h"

namespace frugal {

// rows: of the tensors of `like`, which has everything else. beside: further files of a folder. With progress;
// Error(Exit::interrupted), and what export_gguf and export_hf_folder throw.
void write_model(const ModelSource& like, const RowReader& rows, const std::string& dtype,
                 const std::filesystem::path& out, const std::map<std::string, std::string>& beside = {});

// The same, of a run that may have been killed behind it: the model that it wrote stays. RUN/NAME.writing says that the
// model is its own, and is made only where nothing was; what others put there is refused.
void write_model_of_run(const std::filesystem::path& run, const ModelSource& like, const RowReader& rows,
                        const std::string& dtype, const std::filesystem::path& out,
                        const std::map<std::string, std::string>& beside = {});

}  // namespace frugal
