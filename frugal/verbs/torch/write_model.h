// Writes a model to where --out says: a GGUF file or a Hugging Face folder.
#pragma once
#include <map>

#include "frugal/formats/model_source.h"

namespace frugal {

// rows: of the tensors of `like`, which has everything else. beside: further files of a folder. With progress;
// Error(Exit::interrupted), and what export_gguf and export_hf_folder throw.
void write_model(const ModelSource& like, const RowReader& rows, const std::string& dtype,
                 const std::filesystem::path& out, const std::map<std::string, std::string>& beside = {});

// The same, of a run that began where `out` was not there: when it was killed behind a model and goes on, the model
// that it wrote stays. RUN/writing says that it had begun to write.
void write_model_of_run(const std::filesystem::path& run, const ModelSource& like, const RowReader& rows,
                        const std::string& dtype, const std::filesystem::path& out,
                        const std::map<std::string, std::string>& beside = {});

}  // namespace frugal
