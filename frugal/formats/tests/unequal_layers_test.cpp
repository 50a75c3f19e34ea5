// Models whose layers differ: written as deci and with per_layer_config, and read back; hostile ones are refused.
#include <gtest/gtest.h>

#include <cstring>

#include "frugal/base/json_text.h"
#include "frugal/formats/shrunk_model.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using namespace formats_tests;

ModelShape unequal(std::vector<LayerShape> layers) {
  ModelShape shape = small_shape(true);
  shape.layers = std::move(layers);
  return shape;
}

void expect_same(const ModelSource& a, const ModelSource& b) {
  ASSERT_EQ(a.shape().layers, b.shape().layers);
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (std::size_t i = 0; i < a.tensors().size(); ++i) {
    EXPECT_EQ(a.tensors()[i].name, b.tensors()[i].name);
    const auto ours = whole_tensor(a, i), theirs = whole_tensor(b, i);
    EXPECT_EQ(std::memcmp(ours.data(), theirs.data(), ours.size() * 4), 0) << a.tensors()[i].name;
  }
}

TEST(UnequalLayers, GoThroughBothFormats) {
  const TemporaryFolder folder;
  const SmallModel model(unequal({{4, 2, 96}, {2, 1, 33}, {0, 0, 64}, {0, 0, 0}, {6, 3, 96}}));
  export_gguf(model, rows_of(model), "f32", folder / "a.gguf", ignore_progress);
  const auto gguf = ModelSource::open(folder / "a.gguf");
  expect_same(model, *gguf);
  export_hf_folder(*gguf, rows_of(*gguf), "f32", folder / "b", ignore_progress);
  expect_same(model, *ModelSource::open(folder / "b"));
}

// A model that deci cannot say is refused before anything is written; the folder can say it.
TEST(UnequalLayers, WhatDeciCannotSayIsRefused) {
  const TemporaryFolder folder;
  const SmallModel without_ffn(unequal({{4, 2, 96}, {4, 2, 0}})), without_first(unequal({{0, 0, 96}, {4, 2, 96}}));
  EXPECT_EQ(
      error_of([&] { export_gguf(without_ffn, rows_of(without_ffn), "f32", folder / "a.gguf", ignore_progress); }),
      "layer 1 has attention and no feed-forward, which GGUF's deci cannot say");
  EXPECT_EQ(
      error_of([&] { export_gguf(without_first, rows_of(without_first), "f32", folder / "a.gguf", ignore_progress); }),
      "layer 0 has no attention, which GGUF's deci cannot say");
  EXPECT_EQ(folder.entries(), 0u);
  export_hf_folder(without_ffn, rows_of(without_ffn), "f32", folder / "b", ignore_progress);
  expect_same(without_ffn, *ModelSource::open(folder / "b"));
}

TEST(UnequalLayers, HostileConfigsAreRefused) {
  const Json config = config_from_shape(unequal({{4, 2, 96}, {4, 2, 96}}), "float32");
  const auto said = [&](const Json& layers) {
    Json own = config;
    own["per_layer_config"] = layers;
    return error_of([&] { shape_from_config(own); });
  };
  EXPECT_EQ(said(Json::object()), "no error");
  EXPECT_EQ(said({{"01", {{"intermediate_size", 7}}}}), "no error");
  EXPECT_EQ(said(Json::array()), "config.json: per_layer_config is not an object");
  EXPECT_EQ(said({{"2", {{"intermediate_size", 7}}}}),
            "config.json: per_layer_config names the layer '2', the model has 2");
  EXPECT_EQ(said({{"-1", Json::object()}}), "config.json: per_layer_config names the layer '-1', the model has 2");
  EXPECT_EQ(said({{"1x", Json::object()}}), "config.json: per_layer_config names the layer '1x', the model has 2");
  EXPECT_EQ(said({{"1", 3}}), "config.json: per_layer_config has no object for layer 1");
  EXPECT_EQ(said({{"1", {{"num_experts", 8}}}}), "config.json: per_layer_config gives layer 1 the key 'num_experts'");
  EXPECT_EQ(said({{"1", {{"skip", {"moe"}}}}}), "config.json: layer 1 skips \"moe\"");
  EXPECT_EQ(said({{"1", {{"skip", 7}}}}), "config.json: layer 1 skips 7");
  EXPECT_EQ(said({{"1", {{"num_attention_heads", 3}}}}),
            "config.json: 3 attention heads cannot share 2 key-value heads");
  EXPECT_EQ(said({{"1", {{"intermediate_size", -5}}}}), "config.json: intermediate_size is -5, expected 1 to 16777216");
  EXPECT_EQ(said({{"1", {{"intermediate_size", "many"}}}}), "config.json has no integer 'intermediate_size'");
}

TEST(ShrunkModel, ReadsTheRowsAndColumnsThatStay) {
  const auto base = std::make_shared<SmallModel>(unequal({{4, 2, 96}, {4, 2, 96}}));
  KeptUnits first = all_units(base->shape().layers[0]);
  first.heads = {2, 3};  // of the second key head
  first.neurons = {1, 5, 95};
  const auto small = open_shrunk(base, {first, all_units(base->shape().layers[1])});
  EXPECT_EQ(small->shape().layers[0], (LayerShape{2, 1, 3}));
  EXPECT_EQ(small->shape().layers[1], base->shape().layers[1]);
  for (std::size_t i = 0; i < small->tensors().size(); ++i) {
    const SourceTensor& tensor = small->tensors()[i];
    if (tensor.layer != 0 || tensor.is_vector) continue;
    std::size_t j = 0;
    while (base->tensors()[j].name != tensor.name) ++j;
    const auto ours = whole_tensor(*small, i), theirs = whole_tensor(*base, j);
    const std::int64_t cols = base->tensors()[j].cols, D = 8;
    for (std::int64_t r = 0; r < tensor.rows; ++r) {
      for (std::int64_t c = 0; c < tensor.cols; ++c) {
        std::int64_t row = r, column = c;
        if (tensor.role == Role::q) row += 2 * D;
        if (tensor.role == Role::k || tensor.role == Role::v) row += D;
        if (tensor.role == Role::o) column += 2 * D;
        if (tensor.role == Role::gate || tensor.role == Role::up) row = first.neurons[static_cast<std::size_t>(r)];
        if (tensor.role == Role::down) column = first.neurons[static_cast<std::size_t>(c)];
        EXPECT_EQ(ours[static_cast<std::size_t>(r * tensor.cols + c)],
                  theirs[static_cast<std::size_t>(row * cols + column)])
            << tensor.name;
      }
    }
  }
  // A layer that keeps nothing may be left out; the one behind it takes its place.
  const auto shorter = open_shrunk(base, {KeptUnits{}, all_units(base->shape().layers[1])}, true);
  ASSERT_EQ(shorter->shape().layers.size(), 1u);
  EXPECT_EQ(whole_tensor(*shorter, 1), whole_tensor(*base, base->tensors().size() / 2))
      << base->tensors()[base->tensors().size() / 2].name;
  KeptUnits uneven = all_units(base->shape().layers[0]);
  uneven.heads = {0, 1, 2};
  EXPECT_NE(error_of([&] { open_shrunk(base, {uneven, all_units(base->shape().layers[1])}); }), "no error");
}

}  // namespace
}  // namespace frugal
