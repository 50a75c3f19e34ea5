// A model with other tensors and more biases than the one on disk, through both formats and back.
#include "frugal/formats/patched_model.h"

#include <gtest/gtest.h>

#include <numeric>

#include "frugal/formats/shrunk_model.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using namespace formats_tests;

std::vector<float> counting(std::int64_t count, float from) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), from);
  return values;
}

// Layers of different sizes, o and down with a bias, and one down that is another.
struct Patched {
  Patched() {
    ModelShape shape = small_shape(true);
    shape.layers = {{4, 2, 96}, {2, 1, 33}, {0, 0, 64}};
    base = std::make_shared<SmallModel>(shape);
    model = std::make_unique<PatchedModel>(base, Biases{.o = true, .down = true});
    for (const SourceTensor& tensor : model->tensors()) {
      if (tensor.is_bias && tensor.layer > 0) replace(tensor.layer, tensor.role, true);
    }
    replace(1, Role::down, false);
  }
  void replace(std::int64_t layer, Role role, bool is_bias) {
    const std::size_t id = model->find(layer, role, is_bias);
    const SourceTensor& tensor = model->tensors()[id];
    model->replace(id, counting(tensor.rows * tensor.cols, static_cast<float>(layer) + 0.5f));
  }
  std::shared_ptr<SmallModel> base;
  std::unique_ptr<PatchedModel> model;
};

TEST(PatchedModel, HasWhatWasReplacedAndTheRestOfItsBase) {
  const Patched p;
  ASSERT_EQ(p.model->tensors().size(), p.base->tensors().size() + 5);  // a bias of each o and each down
  for (std::size_t id = 0; id < p.model->tensors().size(); ++id) {
    const SourceTensor& tensor = p.model->tensors()[id];
    const std::vector<float> values = whole_tensor(*p.model, id);
    if (tensor.is_bias && tensor.layer == 0) {
      EXPECT_EQ(values, std::vector<float>(64)) << tensor.name << ": nobody has replaced it";
    } else if (tensor.is_bias || (tensor.layer == 1 && tensor.role == Role::down)) {
      EXPECT_EQ(values, counting(tensor.rows * tensor.cols, static_cast<float>(tensor.layer) + 0.5f)) << tensor.name;
      std::vector<float> row(static_cast<std::size_t>(tensor.cols));
      p.model->read_rows(id, tensor.rows - 1, tensor.rows, row.data());
      EXPECT_EQ(row.back(), values.back()) << tensor.name;
    } else {
      const PatchedModel plain(p.base);
      EXPECT_EQ(values, whole_tensor(*p.base, plain.find(tensor.layer, tensor.role))) << tensor.name;
    }
  }
  const std::size_t down = p.model->find(0, Role::down);
  EXPECT_EQ(error_of([&] { p.model->replace(down, std::vector<float>(5)); }),
            "model.layers.0.mlp.down_proj.weight cannot be 5 numbers, it has 6144");
  EXPECT_EQ(p.model->find(2, Role::o), p.model->tensors().size()) << "layer 2 has no attention";
}

// GGUF says which linears have biases; a Hugging Face folder has all of a kind, and those that were not there are 0.
TEST(PatchedModel, GoesThroughBothFormats) {
  const TemporaryFolder folder;
  const Patched p;
  export_gguf(*p.model, rows_of(*p.model), "f32", folder / "a.gguf", ignore_progress);
  const auto gguf = ModelSource::open(folder / "a.gguf");
  EXPECT_EQ(gguf->shape().biases, (Biases{.o = true, .down = true}));
  ASSERT_EQ(gguf->tensors().size(), p.model->tensors().size());
  for (std::size_t id = 0; id < gguf->tensors().size(); ++id) {
    EXPECT_EQ(gguf->tensors()[id].name, p.model->tensors()[id].name);
    EXPECT_EQ(whole_tensor(*gguf, id), whole_tensor(*p.model, id)) << gguf->tensors()[id].name;
  }
  std::size_t done = 0;
  export_hf_folder(*gguf, rows_of(*gguf), "f32", folder / "b", [&](std::size_t so_far, std::size_t all) {
    EXPECT_EQ(so_far, ++done);
    EXPECT_EQ(all, gguf->tensors().size());
  });
  EXPECT_EQ(done, gguf->tensors().size());
  const auto again = ModelSource::open(folder / "b");
  EXPECT_EQ(again->shape().biases, (Biases{true, true, true, true, true, true, true}));
  std::size_t zeros = 0;
  for (std::size_t id = 0; id < again->tensors().size(); ++id) {
    const SourceTensor& tensor = again->tensors()[id];
    const std::size_t ours = p.model->find(tensor.layer, tensor.role, tensor.is_bias);
    const std::vector<float> values = whole_tensor(*again, id);
    if (ours < p.model->tensors().size()) {
      EXPECT_EQ(values, whole_tensor(*p.model, ours)) << tensor.name;
      continue;
    }
    EXPECT_EQ(values, std::vector<float>(static_cast<std::size_t>(tensor.cols))) << tensor.name;
    ++zeros;
  }
  EXPECT_EQ(zeros, 2u * 3 + 3u * 2) << "q, k, v of two layers; gate, up of three";
}

// Shrunk as any other: columns of what was replaced go, the bias stays, and a layer that keeps nothing is not there.
TEST(PatchedModel, IsShrunkAsAnyOther) {
  Patched p;
  std::vector<KeptUnits> kept;
  for (const LayerShape& layer : p.model->shape().layers) kept.push_back(all_units(layer));
  kept[0] = {};
  kept[1].neurons = {0, 32};
  const std::shared_ptr<const ModelSource> larger = std::move(p.model);
  const PatchedModel small(open_shrunk(larger, kept, true));
  EXPECT_EQ(small.shape().layers, (std::vector<LayerShape>{{2, 1, 2}, {0, 0, 64}}));
  const std::vector<float> down = whole_tensor(small, small.find(0, Role::down));
  EXPECT_EQ(std::vector<float>(down.begin(), down.begin() + 4), (std::vector<float>{1.5f, 33.5f, 34.5f, 66.5f}));
  EXPECT_EQ(whole_tensor(small, small.find(0, Role::down, true)), counting(64, 1.5f));
  EXPECT_EQ(whole_tensor(small, small.find(1, Role::down, true)), counting(64, 2.5f));
}

}  // namespace
}  // namespace frugal
