// Writes a model to where --out says: a GGUF file or a Hugging Face folder.
#pragma once
#include "frugal/formats/model_source.h"

namespace frugal {

// rows: of the tensors of `like`, which has everything else. With progress; Error(Exit::interrupted), and what
// export_gguf and export_hf_folder throw.
void write_model(const ModelSource& like, const RowReader& rows, const std::string& dtype,
                 const std::filesystem::path& out);

}  // namespace frugal
