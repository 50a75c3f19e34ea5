// Zeros up to the largest layer: where they lie, and that what was there is still there.
#include "frugal/formats/padded_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "frugal/base/atomic_file.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using namespace formats_tests;

// Every number of the base once, in its place; the rest are zeros.
TEST(PaddedModel, AddsNothingButZeros) {
  ModelShape shape = small_shape(false);
  shape.biases = {true, true, true, true, true, true, true};
  shape.layers = {{4, 2, 96}, {2, 2, 33}, {0, 0, 64}, {6, 3, 0}};
  const auto base = std::make_shared<SmallModel>(shape);
  const auto padded = open_padded(base);
  EXPECT_TRUE(padded->shape().is_uniform());
  EXPECT_EQ(padded->shape().layers.front(), (LayerShape{8, 4, 96}));  // 6 heads do not divide 64
  std::size_t seen = 0;
  for (std::size_t i = 0; i < padded->tensors().size(); ++i) {
    std::vector<float> ours = whole_tensor(*padded, i), theirs;
    for (std::size_t j = 0; j < base->tensors().size(); ++j) {
      if (base->tensors()[j].name == padded->tensors()[i].name) theirs = whole_tensor(*base, j), ++seen;
    }
    std::erase(ours, 0.0f);
    std::erase(theirs, 0.0f);
    EXPECT_EQ(ours, theirs) << padded->tensors()[i].name;
  }
  EXPECT_EQ(seen, base->tensors().size());
  // Layer 1 has a query head a key head, and now two: the first has the rows, the second is zeros.
  for (std::size_t i = 0; i < padded->tensors().size(); ++i) {
    const SourceTensor& tensor = padded->tensors()[i];
    if (tensor.layer != 1 || tensor.role != Role::q || tensor.is_bias) continue;
    std::vector<float> row(64);
    for (std::int64_t r = 0; r < 64; ++r) {
      padded->read_rows(i, r, r + 1, row.data());
      const bool is_there = r / 8 == 0 || r / 8 == 2;
      EXPECT_EQ(std::count(row.begin(), row.end(), 0.0f) == 0, is_there) << r;
    }
  }
}

TEST(PaddedModel, IsPlainLlamaInBothFormats) {
  const TemporaryFolder folder;
  ModelShape shape = small_shape(true);
  shape.layers = {{0, 0, 96}, {2, 1, 0}};
  const auto padded = open_padded(std::make_shared<SmallModel>(shape));
  export_hf_folder(*padded, rows_of(*padded), "f32", folder / "a", ignore_progress);
  export_gguf(*padded, rows_of(*padded), "f32", folder / "b.gguf", ignore_progress);
  EXPECT_FALSE(std::filesystem::exists(folder / "a" / "modeling_frugal_llama.py"));
  for (const char* name : {"a", "b.gguf"}) {
    const auto read = ModelSource::open(folder / name);
    EXPECT_EQ(read->shape().layers, padded->shape().layers);
    for (std::size_t i = 0; i < read->tensors().size(); ++i)
      EXPECT_EQ(whole_tensor(*read, i), whole_tensor(*padded, i)) << read->tensors()[i].name;
  }
}

// transformers loads layers that differ by a file beside them, which plain models do not need.
TEST(PaddedModel, UnequalFoldersBringTheirCode) {
  const TemporaryFolder folder;
  ModelShape shape = small_shape(true);
  shape.layers = {{4, 2, 96}, {2, 1, 0}};
  const SmallModel model(shape);
  export_hf_folder(model, rows_of(model), "f32", folder / "a", ignore_progress);
  const Json config = Json::parse(read_file(folder / "a" / "config.json"));
  EXPECT_EQ(config.at("auto_map").at("AutoModelForCausalLM"), "modeling_frugal_llama.FrugalLlamaForCausalLM");
  const std::string code = read_file(folder / "a" / "modeling_frugal_llama.py");
  EXPECT_NE(code.find("class FrugalLlamaForCausalLM("), std::string::npos);
  EXPECT_NE(code.find("class FrugalLlamaConfig("), std::string::npos);
}

}  // namespace
}  // namespace frugal
