// A GGUF file of the llama family as a ModelSource.
#pragma once
#include "frugal/formats/gguf/gguf_file.h"
#include "frugal/formats/memory_map.h"
#include "frugal/formats/model_source.h"
#include "frugal/formats/tokenizer.h"

namespace frugal {

std::unique_ptr<ModelSource> open_gguf_model(const std::filesystem::path& path);

// Metadata to shape and tokenizer; Error(Exit::input) names a key that is missing or of another kind, an architecture
// that is not known.
ModelShape shape_from_gguf(const GgufFile& file, const std::string& name);
TokenizerModel tokenizer_from_gguf(const GgufFile& file, const std::string& name);

// Error(Exit::input): layers that the architecture cannot say; a tokenizer that has no name in GGUF.
void require_gguf(const ModelShape& shape);
void require_gguf(const TokenizerModel& tokenizer);

class GgufWriter;
std::string gguf_architecture(const ModelShape& shape);              // llama, or deci where layers differ
void write_shape(GgufWriter& out, const ModelShape& shape);          // Error: see require_gguf
void write_tokenizer(GgufWriter& out, const TokenizerModel& model);  // Error: see require_gguf
std::vector<float> rope_factors(
    const ModelShape& shape);  // llama3 scaling as rope_freqs.weight, [head_dim / 2]; else empty

}  // namespace frugal
