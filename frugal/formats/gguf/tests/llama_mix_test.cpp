#include "frugal/formats/gguf/llama_mix.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "frugal/base/atomic_file.h"
#include "frugal/formats/gguf/gguf_file.h"
#include "frugal/formats/gguf/llama_names.h"
#include "frugal/formats/memory_map.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using namespace formats_tests;

ModelShape shape_of(const Json& entry) {
  ModelShape shape;
  shape.vocab = 2;
  shape.hidden = entry.at("hidden");
  shape.head_dim = 64;
  shape.context = 128;
  shape.tied_embeddings = entry.at("tied");
  for (const Json& layer : entry.at("layers")) shape.layers.push_back({layer.at(0), layer.at(1), layer.at(2)});
  return shape;
}

// {"attn_v": "Q6_K 0-3, Q4_K 4-5", "token_embd": "Q6_K"}: runs of layers, as the golden list has them.
Json summary(const ModelShape& shape, const std::vector<const BlockType*>& types) {
  struct Run {
    std::string_view type;
    std::int64_t first, last;
  };
  std::map<std::string, std::vector<Run>> runs;
  Json found = Json::object();
  const std::vector<TensorSpec> specs = tensor_specs(shape);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].is_vector) {
      EXPECT_EQ(types[i]->name, "F32") << specs[i].name;
      continue;
    }
    std::string name = gguf_name(specs[i].name);
    name.resize(name.size() - std::string(".weight").size());
    if (!specs[i].is_of_layer()) {
      found[name] = types[i]->name;
      continue;
    }
    std::vector<Run>& known = runs[name.substr(name.rfind('.') + 1)];
    if (!known.empty() && known.back().type == types[i]->name && known.back().last == specs[i].layer - 1)
      known.back().last = specs[i].layer;
    else
      known.push_back({types[i]->name, specs[i].layer, specs[i].layer});
  }
  for (const auto& [part, known] : runs) {
    std::string text;
    for (const Run& run : known)
      text += (text.empty() ? "" : ", ") + std::string(run.type) + " " + std::to_string(run.first) + "-" +
              std::to_string(run.last);
    found[part] = text;
  }
  return found;
}

// llama.cpp wrote files of these shapes in every file type (scripts/make_quantize_golden.py).
TEST(LlamaMix, IsTheChoiceOfLlamaCpp) {
  const Json golden = Json::parse(read_file(FRUGAL_SOURCE_DIR "/frugal/formats/gguf/tests/golden/mixes.json"));
  ASSERT_EQ(golden.at("shapes").size(), 5u);
  for (const Json& entry : golden.at("shapes")) {
    const ModelShape shape = shape_of(entry);
    std::size_t quantised = 0;
    for (const ExportDtype& dtype : export_dtypes()) {
      if (dtype.is_plain()) continue;
      ++quantised;
      const Json ours = summary(shape, llama_types(shape, dtype)),
                 theirs = entry.at("types").at(std::string(dtype.name));
      EXPECT_EQ(ours.size(), theirs.size());
      for (const auto& [part, types] : theirs.items())
        EXPECT_EQ(ours.value(part, ""), types) << dtype.name << " of " << entry.at("name") << ": " << part;
    }
    EXPECT_EQ(quantised, entry.at("types").size());
  }
}

TEST(LlamaMix, FloatsAreOneType) {
  const ModelShape shape = small_shape(false);
  for (const ExportDtype& dtype : export_dtypes()) {
    if (!dtype.is_plain()) continue;
    const std::vector<const BlockType*> types = llama_types(shape, dtype);
    const std::vector<TensorSpec> specs = tensor_specs(shape);
    for (std::size_t i = 0; i < specs.size(); ++i)
      EXPECT_EQ(types[i]->name, specs[i].is_vector ? "F32" : dtype.type_name) << specs[i].name;
  }
}

// A file of every type: its tensors have the types of the mix, and its values, rows turned for llama.cpp and back, are
// those of the blocks alone; the file type is written.
TEST(LlamaMix, AWrittenFileHoldsItsBlocks) {
  ModelShape shape = small_shape(false);
  shape.hidden = 256;
  shape.layers = {{4, 2, 512}, {4, 2, 96}, {2, 1, 40}};
  const SmallModel model(shape);
  for (const ExportDtype& dtype : export_dtypes()) {
    const TemporaryFolder folder;
    export_gguf(model, rows_of(model), std::string(dtype.name), folder / "m.gguf", ignore_progress);
    const auto written = ModelSource::open(folder / "m.gguf");
    const std::vector<const BlockType*> types = llama_types(shape, dtype);
    for (std::size_t i = 0; i < model.tensors().size(); ++i) {
      const BlockType& type = *types[i];
      ASSERT_EQ(written->tensors()[i].type, type.name) << dtype.name << " " << model.tensors()[i].name;
      std::vector<float> expected = whole_tensor(model, i);
      std::vector<std::byte> blocks(expected.size() / static_cast<std::size_t>(type.elements) *
                                    static_cast<std::size_t>(type.bytes));
      const auto count = static_cast<std::int64_t>(expected.size()) / type.elements;
      type.quantize(expected.data(), count, blocks.data());
      type.dequantize(blocks.data(), count, expected.data());
      ASSERT_EQ(whole_tensor(*written, i), expected) << dtype.name << " " << model.tensors()[i].name;
    }
    const MemoryMap map(folder / "m.gguf");
    EXPECT_EQ(parse_gguf(map.bytes(), "m").metadata.at("general.file_type"), dtype.file_type) << dtype.name;
  }
}

TEST(ExportDtype, NamesAreUniqueAndRefusalsSayWhatMayBeChosen) {
  std::set<std::string_view> names;
  for (const ExportDtype& dtype : export_dtypes()) {
    EXPECT_TRUE(names.insert(dtype.name).second) << dtype.name;
    EXPECT_NE(find_block_type(dtype.type_name), nullptr) << dtype.name;
  }
  EXPECT_NE(error_of([] { find_export_dtype("q4_7", false, "a GGUF file"); }).find("'q4_7'"), std::string::npos);
  EXPECT_NE(
      error_of([] { find_export_dtype("q4_k_m", true, "an adapter"); }).find("q4_k_m, but an adapter holds floats"),
      std::string::npos);
  EXPECT_EQ(export_dtype_text(true), "bf16, f16 or f32");
}

}  // namespace
}  // namespace frugal
