#include <gtest/gtest.h>

#include "frugal/formats/adapter/tests/adapter_files.h"
#include "frugal/formats/gguf/gguf_file.h"
#include "frugal/formats/gguf/llama_names.h"
#include "frugal/formats/memory_map.h"

namespace frugal {
namespace {

using namespace adapter_tests;

struct Matrix {
  std::vector<float> values;
  std::vector<std::int64_t> shape;  // fastest first
};

Matrix matrix(const GgufFile& file, const std::string& name) {
  const GgufTensor* tensor = file.find(name);
  if (tensor == nullptr) throw Error(Exit::internal, "no tensor " + name, "-");
  Matrix m{std::vector<float>(static_cast<std::size_t>(tensor->shape[0] * tensor->shape[1])), tensor->shape};
  tensor->type->dequantize(tensor->data.data(), static_cast<std::int64_t>(m.values.size()), m.values.data());
  return m;
}

// alpha / rank B A in GGUF's row order, as llama.cpp computes it, is the model's own change with its rows moved as
// export_gguf moves those of the weight.
void expect_same_change(const LoraAdapter& adapter, const ModelShape& shape, const char* dtype, double tolerance) {
  const TemporaryFolder folder;
  write_gguf_adapter(adapter, shape, folder / "a.gguf", dtype);
  const MemoryMap map(folder / "a.gguf");
  const GgufFile file = parse_gguf(map.bytes(), "a.gguf");
  EXPECT_EQ(file.metadata.at("general.type"), "adapter");
  EXPECT_EQ(file.metadata.at("general.architecture"), "llama");
  EXPECT_EQ(file.metadata.at("adapter.type"), "lora");
  const double alpha = file.metadata.at("adapter.lora.alpha").get<double>();
  EXPECT_GT(alpha, 0);
  EXPECT_EQ(file.tensors.size(), 2 * adapter.factors.size());
  for (const LowRankFactor& factor : adapter.factors) {
    const std::string name = gguf_name(factor.module + ".weight");
    const Matrix a = matrix(file, name + ".lora_a"), b = matrix(file, name + ".lora_b");
    ASSERT_EQ(a.shape, (std::vector<std::int64_t>{factor.in, factor.rank})) << name;
    ASSERT_EQ(b.shape, (std::vector<std::int64_t>{factor.rank, factor.out})) << name;
    const bool is_rotary = name.find("attn_q") != std::string::npos || name.find("attn_k") != std::string::npos;
    for (std::int64_t head = 0, half = shape.head_dim / 2, row = 0; row < factor.out; ++row) {
      // their row h d + 2 j + s is ours h d + s d / 2 + j
      head = row / shape.head_dim;
      const std::int64_t i = row % shape.head_dim;
      const std::int64_t ours = is_rotary ? head * shape.head_dim + i % 2 * half + i / 2 : row;
      for (std::int64_t column = 0; column < factor.in; ++column) {
        double theirs = 0, mine = 0;
        for (std::int64_t k = 0; k < factor.rank; ++k) {
          const auto at = [](const std::vector<float>& values, std::int64_t index) {
            return static_cast<double>(values[static_cast<std::size_t>(index)]);
          };
          theirs += at(b.values, row * factor.rank + k) * at(a.values, k * factor.in + column);
          mine += at(factor.b, ours * factor.rank + k) * at(factor.a, k * factor.in + column);
        }
        ASSERT_NEAR(alpha / static_cast<double>(factor.rank) * theirs, factor.scale * mine, tolerance * factor.scale)
            << name << " [" << row << ", " << column << "]";
      }
    }
  }
}

// |B A| is at most 3 * 2 * 2; alpha is one float, a folded B is rounded once.
constexpr double kRounding = 3 * 4 * 0x1p-24 * 2;

TEST(GgufAdapter, OneAlphaIsWrittenAsItIs) {
  expect_same_change(small_adapter(small_shape(true), Kind::lora), small_shape(true), "f32", 1e-12);
}

TEST(GgufAdapter, SixteenBitTypesHoldTheSameValues) {
  for (const char* dtype : {"f16", "bf16"})
    expect_same_change(small_adapter(small_shape(true), Kind::lora, "self_attn"), small_shape(true), dtype, 1e-12);
}

TEST(GgufAdapter, RankStabilisedScalesBecomeAnAlpha) {
  expect_same_change(small_adapter(small_shape(true), Kind::rslora), small_shape(true), "f32", kRounding);
}

TEST(GgufAdapter, ScalesOfTheirOwnAreFoldedIntoB) {
  const ModelShape shape = small_shape(true);
  LoraAdapter adapter = small_adapter(shape, Kind::lora);
  set_scale(adapter, 0, 1.5);
  set_scale(adapter, 4, 11);
  expect_same_change(adapter, shape, "f32", kRounding);
}

TEST(GgufAdapter, AnLmHeadOfItsOwnIsTheOutput) {
  const ModelShape shape = small_shape(false);
  LoraAdapter adapter = small_adapter(shape, Kind::lora, "v_proj");
  LowRankFactor head = adapter.factors.front();
  head.module = "lm_head";
  head.out = shape.vocab;
  head.b.assign(static_cast<std::size_t>(head.out * head.rank), 0.5f);
  adapter.factors.push_back(head);
  expect_same_change(adapter, shape, "f32", 1e-12);
}

TEST(GgufAdapter, RefusesWhatItCannotSay) {
  const TemporaryFolder folder;
  const ModelShape shape = small_shape(true);
  EXPECT_NE(
      error_of([&] { write_gguf_adapter(small_adapter(shape, Kind::dora), shape, folder / "a.gguf"); }).find("DoRA"),
      std::string::npos);
  EXPECT_NE(error_of([&] {
              write_gguf_adapter(small_adapter(shape, Kind::lora), shape, folder / "a.gguf", "q4_0");
            }).find("q4_0, but an adapter"),
            std::string::npos);
  EXPECT_EQ(folder.entries(), 0u);
  write_file(folder / "a.gguf", "mine");
  EXPECT_NE(
      error_of([&] { write_gguf_adapter(small_adapter(shape, Kind::lora), shape, folder / "a.gguf"); }).find("exists"),
      std::string::npos);
  EXPECT_EQ(read_file(folder / "a.gguf"), "mine");
}

}  // namespace
}  // namespace frugal
