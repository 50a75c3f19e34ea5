#include "frugal/formats/gguf/gguf_model.h"

#include <gtest/gtest.h>

#include <limits>

#include "frugal/base/atomic_file.h"
#include "frugal/formats/gguf/llama_names.h"
#include "frugal/formats/gguf/tests/gguf_bytes.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using namespace formats_tests;
using gguf_tests::Bytes;

TEST(LlamaNames, RowOrdersAreInverse) {
  for (const std::int64_t head_dim : {2, 8, 64}) {
    for (std::int64_t row = 0; row < 3 * head_dim; ++row) {
      EXPECT_EQ(canonical_row(gguf_row(row, head_dim), head_dim), row);
      EXPECT_EQ(gguf_row(row, head_dim) / head_dim, row / head_dim);
    }
  }
  // Head h, half s, j of d / 2 lies at h d + 2 j + s.
  EXPECT_EQ(gguf_row(2 * 8 + 1 * 4 + 3, 8), 2 * 8 + 2 * 3 + 1);
}

TEST(GgufModel, RowsOfQueriesAndKeysLieInterleavedInTheFile) {
  const TemporaryFolder folder;
  const SmallModel model(small_shape(true));
  export_gguf(model, rows_of(model), "f32", folder / "m.gguf", ignore_progress);
  const std::string bytes = read_file(folder / "m.gguf");
  const GgufFile file = parse_gguf(std::as_bytes(std::span(bytes)), "file");
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    const SourceTensor& tensor = model.tensors()[i];
    const bool is_rotary =
        tensor.name.find("q_proj") != std::string::npos || tensor.name.find("k_proj") != std::string::npos;
    std::vector<float> stored(static_cast<std::size_t>(tensor.rows * tensor.cols)),
        row(static_cast<std::size_t>(tensor.cols));
    const GgufTensor& theirs = *file.find(gguf_name(tensor.name));
    theirs.type->dequantize(theirs.data.data(), static_cast<std::int64_t>(stored.size()), stored.data());
    for (std::int64_t h = 0; is_rotary && h < tensor.rows / 8; ++h) {
      for (std::int64_t s = 0; s < 2; ++s) {
        for (std::int64_t j = 0; j < 4; ++j) {
          model.read_rows(i, h * 8 + s * 4 + j, h * 8 + s * 4 + j + 1, row.data());
          EXPECT_TRUE(std::equal(row.begin(), row.end(), stored.begin() + (h * 8 + 2 * j + s) * tensor.cols))
              << tensor.name;
        }
      }
    }
    if (!is_rotary) {
      EXPECT_EQ(stored, whole_tensor(model, i)) << tensor.name;
    }
  }
}

TEST(GgufModel, RefusesToReplaceAFileAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  const SmallModel model(small_shape(true));
  write_file(folder / "m.gguf", "mine");
  EXPECT_NE(
      error_of([&] { export_gguf(model, rows_of(model), "f32", folder / "m.gguf", ignore_progress); }).find("exists"),
      std::string::npos);
  EXPECT_EQ(read_file(folder / "m.gguf"), "mine");
  const auto stop = [](std::size_t, std::size_t) { throw Error(Exit::interrupted, "stopped", "start again"); };
  EXPECT_EQ(error_of([&] { export_gguf(model, rows_of(model), "f32", folder / "n.gguf", stop); }), "stopped");
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(GgufModel, RefusesToQuantizeWhatIsNotFinite) {
  const TemporaryFolder folder;
  SmallModel model(small_shape(true));
  model.values(3)[7] = std::numeric_limits<float>::quiet_NaN();
  const std::string message =
      error_of([&] { export_gguf(model, rows_of(model), "q8_0", folder / "m.gguf", ignore_progress); });
  EXPECT_NE(message.find(model.tensors()[3].name), std::string::npos) << message;
  EXPECT_EQ(folder.entries(), 0u);
}

// Metadata and tensors of a llama of one layer, with the key `changed` left to `put`.
Bytes small_file(const std::string& changed, const std::function<void(Bytes&)>& put) {
  Bytes file;
  const std::pair<const char*, std::uint32_t> sizes[] = {
      {"llama.embedding_length", 64},    {"llama.context_length", 128},        {"llama.block_count", 1},
      {"llama.attention.head_count", 4}, {"llama.attention.head_count_kv", 2}, {"llama.feed_forward_length", 32}};
  bool is_new = changed != "general.architecture";
  for (const auto& [key, value] : sizes) is_new = is_new && changed != key;
  file.header(3, 1, std::size(sizes) + 1 + is_new);
  if (changed != "general.architecture") file.text("general.architecture").put<std::uint32_t>(8).text("llama");
  for (const auto& [key, value] : sizes) {
    if (changed != key) file.text(key).put<std::uint32_t>(4).put(value);
  }
  file.text(changed);
  put(file);
  return file.tensor("token_embd.weight", {64, 10}, 0, 0).data(2560);
}

void expect_refused(const std::string& key, const std::function<void(Bytes&)>& put, const std::string& part) {
  const Bytes file = small_file(key, put);
  const std::string message = error_of([&] { shape_from_gguf(parse_gguf(file.span(), "file"), "file"); });
  EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected: " << part;
}

auto number(std::uint32_t value) {
  return [value](Bytes& file) { file.put<std::uint32_t>(4).put(value); };
}
auto real(float value) {
  return [value](Bytes& file) { file.put<std::uint32_t>(6).put(value); };
}
auto words(const char* value) {
  return [value](Bytes& file) { file.put<std::uint32_t>(8).text(value); };
}

TEST(GgufShape, RefusesMetadataByName) {
  const Bytes good = small_file("general.name", words("x"));
  const ModelShape shape = shape_from_gguf(parse_gguf(good.span(), "file"), "file");
  EXPECT_EQ(shape.vocab, 10);
  EXPECT_EQ(shape.head_dim, 16);
  EXPECT_TRUE(shape.tied_embeddings);

  expect_refused("general.architecture", words("mamba"), "'mamba'");
  expect_refused("llama.block_count", number(0), "'llama.block_count' is 0");
  expect_refused("llama.block_count", words("1"), "'llama.block_count' is \"1\"");
  expect_refused("llama.embedding_length", number(0xffffffff), "'llama.embedding_length' is 4294967295");
  expect_refused("llama.attention.head_count_kv", number(3), "4 attention heads cannot share 3");
  expect_refused("llama.attention.key_length", number(8), "a part of each head");
  expect_refused("llama.rope.dimension_count", number(15), "head size is 15");
  expect_refused("llama.rope.scaling.type", words("yarn"), "'yarn'");
  expect_refused("llama.rope.freq_base", real(0), "llama.rope.freq_base");
  expect_refused("llama.rope.freq_base", real(std::numeric_limits<float>::infinity()), "llama.rope.freq_base");
  expect_refused("llama.attention.layer_norm_rms_epsilon", real(-1), "llama.attention.layer_norm_rms_epsilon");
  expect_refused("llama.expert_count", number(8), "mixtures of experts");
  expect_refused("split.count", number(3), "one of 3 parts");
}

TEST(GgufModel, MissingTensorsAreNamed) {
  const TemporaryFolder folder;
  write_file(folder / "m.gguf", small_file("general.name", words("x")).string());
  EXPECT_NE(error_of([&] { ModelSource::open(folder / "m.gguf"); }).find("no tensor blk.0.attn_norm.weight"),
            std::string::npos);
}

TEST(GgufModel, RefusesWeightsThatItsMetadataPassOver) {
  const TemporaryFolder folder;
  const SmallModel model(small_shape(true));
  export_gguf(model, rows_of(model), "f32", folder / "m.gguf", ignore_progress);
  std::string file = read_file(folder / "m.gguf");
  const std::string key = "llama.block_count";
  char& count = file[file.find(key) + key.size() + sizeof(std::uint32_t)];  // behind its type
  ASSERT_EQ(count, 2);
  count = 1;
  write_file(folder / "m.gguf", file);
  EXPECT_NE(error_of([&] { ModelSource::open(folder / "m.gguf"); }).find("holds the tensor blk.1."), std::string::npos);
}

TEST(GgufTokenizer, RefusesOtherKinds) {
  const auto refusal = [](const Bytes& file) {
    return error_of([&] { tokenizer_from_gguf(parse_gguf(file.span(), "file"), "file"); });
  };
  EXPECT_NE(refusal(small_file("general.name", words("x"))).find("no tokenizer"), std::string::npos);
  EXPECT_NE(refusal(small_file("tokenizer.ggml.model", words("llama"))).find("'llama'"), std::string::npos);
  EXPECT_NE(refusal(small_file("tokenizer.ggml.model", words("gpt2"))).find("tokenizer.ggml.tokens"),
            std::string::npos);
}

}  // namespace
}  // namespace frugal
