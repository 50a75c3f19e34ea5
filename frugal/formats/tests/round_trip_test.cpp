// A model written in one format and read back is the same model; the real one is what other programs read from it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "frugal/base/atomic_file.h"
#include "frugal/formats/ggml/blocks.h"
#include "frugal/formats/ggml/half.h"
#include "frugal/formats/gguf/llama_names.h"
#include "frugal/formats/memory_map.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using namespace formats_tests;

float to_bf16(float value) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & 0xffff0000); }

void expect_same_shape(const ModelShape& a, const ModelShape& b) {
  const auto specs = tensor_specs(a), others = tensor_specs(b);
  ASSERT_EQ(specs.size(), others.size());
  for (std::size_t i = 0; i < specs.size(); ++i) EXPECT_EQ(specs[i].name, others[i].name);
  EXPECT_EQ(parameter_count(a), parameter_count(b));
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.context, b.context);
  EXPECT_EQ(static_cast<float>(a.norm_eps), static_cast<float>(b.norm_eps));
  EXPECT_EQ(a.rope.theta, b.rope.theta);
  EXPECT_EQ(a.rope.scaling, b.rope.scaling);
  EXPECT_EQ(a.rope.factor, b.rope.factor);
  EXPECT_EQ(a.tied_embeddings, b.tied_embeddings);
  EXPECT_EQ(a.biases, b.biases);
}

void expect_same_values(const ModelSource& a, const ModelSource& b) {
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (std::size_t i = 0; i < a.tensors().size(); ++i) {
    const auto ours = whole_tensor(a, i), theirs = whole_tensor(b, i);
    EXPECT_EQ(std::memcmp(ours.data(), theirs.data(), ours.size() * 4), 0) << a.tensors()[i].name;
  }
}

struct Case {
  const char* name;
  ModelShape shape;
};
std::vector<Case> cases() {
  std::vector<Case> list = {{"tied", small_shape(true)},
                            {"untied", small_shape(false)},
                            {"biased", small_shape(true)},
                            {"linear", small_shape(true)},
                            {"llama3", small_shape(false)}};
  list[2].shape.biases = {true, true, true, true, true, true, true};
  list[3].shape.rope = {.theta = 500000, .scaling = "linear", .factor = 4};
  list[4].shape.rope = {.theta = 500000,
                        .scaling = "llama3",
                        .factor = 32,
                        .low_freq_factor = 1,
                        .high_freq_factor = 4,
                        .original_context = 8192};
  return list;
}

class RoundTrip : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Formats, RoundTrip, testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

// memory -> GGUF -> Hugging Face folder -> GGUF, for values that every step stores exactly.
TEST_P(RoundTrip, KeepsEveryBit) {
  for (const char* dtype : {"f32", "bf16"}) {
    const TemporaryFolder folder;
    SmallModel model(GetParam().shape);
    if (std::string(dtype) == "bf16") {
      for (std::size_t i = 0; i < model.tensors().size(); ++i) {
        for (float& value : model.values(i)) value = to_bf16(value);
      }
    }
    export_gguf(model, rows_of(model), dtype, folder / "a.gguf", ignore_progress);
    const auto gguf = ModelSource::open(folder / "a.gguf");
    expect_same_shape(model.shape(), gguf->shape());
    expect_same_values(model, *gguf);
    export_hf_folder(*gguf, rows_of(*gguf), dtype, folder / "b", ignore_progress);
    const auto hf = ModelSource::open(folder / "b");
    expect_same_shape(model.shape(), hf->shape());
    expect_same_values(model, *hf);
    export_gguf(*hf, rows_of(*hf), dtype, folder / "c.gguf", ignore_progress);
    expect_same_values(model, *ModelSource::open(folder / "c.gguf"));
  }
}

TEST(Formats, KeepTokenizerTemplateAndLicense) {
  const TemporaryFolder folder;
  const SmallModel model(small_shape(true));
  export_gguf(model, rows_of(model), "f32", folder / "a.gguf", ignore_progress);
  const auto gguf = ModelSource::open(folder / "a.gguf");
  EXPECT_EQ(gguf->license(), "apache-2.0");
  export_hf_folder(*gguf, rows_of(*gguf), "f32", folder / "b", ignore_progress);
  const auto hf = ModelSource::open(folder / "b");
  for (const ModelSource* source : {gguf.get(), hf.get()}) {
    EXPECT_EQ(source->chat_template(), model.chat_template());
    EXPECT_EQ(source->generation_config().at("eos_token_id"), 259);
    EXPECT_EQ(source->tokenizer()->to_json().dump(), model.tokenizer()->to_json().dump());
    const std::string text = "hello <tool> hell<|end|>";
    EXPECT_EQ(source->tokenizer()->encode(text, true), model.tokenizer()->encode(text, true));
    EXPECT_EQ(source->tokenizer()->model().eos, 259);
  }
}

// Rounding is that of binary16 on every path; Q8_0 leaves vectors alone.
TEST(Formats, RoundOnlyWhatTheTypeSays) {
  const TemporaryFolder folder;
  const SmallModel model(small_shape(true));
  export_hf_folder(model, rows_of(model), "f16", folder / "half", ignore_progress);
  export_gguf(model, rows_of(model), "q8_0", folder / "q.gguf", ignore_progress);
  const auto half = ModelSource::open(folder / "half"), q8 = ModelSource::open(folder / "q.gguf");
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    auto expected = whole_tensor(model, i);
    if (model.tensors()[i].is_vector) {
      EXPECT_EQ(whole_tensor(*q8, i), expected);
      EXPECT_EQ(q8->tensors()[i].type, "F32");
    } else {
      EXPECT_EQ(q8->tensors()[i].type, "Q8_0");
    }
    for (float& value : expected) value = half_to_float(float_to_half(value));
    EXPECT_EQ(whole_tensor(*half, i), expected) << model.tensors()[i].name;
  }
}

// The last values that each type rounds to a finite one are written, the first beyond them are refused, and nothing is
// left behind.
TEST(Formats, RefuseWhatATypeWouldTurnIntoInfinity) {
  struct Case {
    const char* dtype;
    float good, bad;
    const char* error;
    const char* fix;
  };
  const Case cases[] = {
      {"f16", std::nextafter(65520.0f, 0.0f), -65520, "holds -65520.0, but F16 holds at most 65504.0", "--dtype bf16"},
      {"q8_0", std::nextafter(65520.0f * 127, 0.0f), 65520.0f * 127,
       "holds 8321040.0, but Q8_0 holds at most 8319008.0", "--dtype bf16"},
      {"bf16", std::nextafter(0x1.ffp127f, 0.0f), 0x1.ffp127f, "but BF16 holds at most 3.38", "--dtype f32"},
      {"f32", FLT_MAX, -HUGE_VALF, "holds infinity, expected finite weights", "how the model was made"},
      {"bf16", 1, NAN, "holds NaN, expected finite weights", "how the model was made"},
      {"f16", 1, HUGE_VALF, "holds infinity, expected finite weights", "how the model was made"}};
  for (const Case& c : cases) {
    for (const bool gguf : {true, false}) {
      if (!gguf && std::string(c.dtype) == "q8_0") continue;
      const TemporaryFolder folder;
      SmallModel model(small_shape(true));
      const std::size_t index = model.tensors().size() - 2;  // a matrix or a vector of the last layer
      const std::size_t matrix = model.tensors()[index].is_vector ? index - 1 : index;
      float& value = model.values(matrix)[37];
      const auto write = [&](const char* name) {
        if (gguf) return export_gguf(model, rows_of(model), c.dtype, folder / name, ignore_progress);
        export_hf_folder(model, rows_of(model), c.dtype, folder / name, ignore_progress);
      };
      value = c.good;
      write("good.gguf");
      for (const float written : whole_tensor(*ModelSource::open(folder / "good.gguf"), matrix))
        EXPECT_TRUE(std::isfinite(written)) << c.dtype;
      value = c.bad;
      const std::string error = error_of([&] { write("bad.gguf"); });
      EXPECT_EQ(error.find(model.tensors()[matrix].name + " "), 0u) << error;
      EXPECT_NE(error.find(c.error), std::string::npos) << c.dtype << ": " << error;
      EXPECT_EQ(folder.entries(), 1u) << c.dtype;
      try {
        write("bad.gguf");
      } catch (const Error& refused) {
        EXPECT_EQ(refused.code(), Exit::input);
        EXPECT_NE(refused.fix().find(c.fix), std::string::npos) << refused.fix();
      }
    }
  }
}

TEST(MemoryMap, GivesPagesBackAndReadsThemAgain) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 100000; ++i) text += static_cast<char>(i * 7);
  write_file(folder / "f", text);
  const MemoryMap map(folder / "f");
  const auto bytes = map.bytes();
  ASSERT_EQ(bytes.size(), text.size());
  map.release(bytes.subspan(5000, 60000));
  map.release(bytes.subspan(99999));
  EXPECT_EQ(std::memcmp(bytes.data(), text.data(), text.size()), 0);
}

TEST(MemoryMap, RefusesWhatIsNotAFile) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "d");
  write_file(folder / "empty", "");
  EXPECT_NE(error_of([&] { MemoryMap map(folder / "d"); }), "no error");
  EXPECT_NE(error_of([&] { MemoryMap map(folder / "empty"); }).find("empty"), std::string::npos);
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_NE(error_of([&] { MemoryMap map(folder / "pipe"); }).find("not a file"), std::string::npos);
  EXPECT_NE(error_of([&] { MemoryMap map(folder / "none"); }).find("No such file"), std::string::npos);
}

TEST(ModelSource, RefusesWhatIsNotAModel) {
  const TemporaryFolder folder;
  write_file(folder / "f", "text");
  EXPECT_NE(error_of([&] { ModelSource::open(folder / "f"); }).find("not a model"), std::string::npos);
  EXPECT_NE(error_of([&] { ModelSource::open(folder / "none"); }).find("no model at"), std::string::npos);
  EXPECT_NE(error_of([&] { ModelSource::open(folder / ""); }).find("no config.json"), std::string::npos);
}

class RealModel : public testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path path = FRUGAL_SOURCE_DIR "/build/models/SmolLM2-135M-Instruct.Q4_1.gguf";
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there; make test downloads it";
    model = ModelSource::open(path);
  }
  std::unique_ptr<ModelSource> model;
};

// As https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct/blob/main/config.json says.
TEST_F(RealModel, HasTheShapeItsConfigSays) {
  const ModelShape& shape = model->shape();
  EXPECT_EQ(shape.vocab, 49152);
  EXPECT_EQ(shape.hidden, 576);
  EXPECT_EQ(shape.head_dim, 64);
  EXPECT_EQ(shape.context, 8192);
  ASSERT_EQ(shape.layers.size(), 30u);
  EXPECT_EQ(shape.layers[0].heads, 9);
  EXPECT_EQ(shape.layers[0].kv_heads, 3);
  EXPECT_EQ(shape.layers[0].ffn, 1536);
  EXPECT_EQ(shape.rope.theta, 100000);
  EXPECT_TRUE(shape.tied_embeddings);
  EXPECT_EQ(parameter_count(shape), 134515008);
  EXPECT_EQ(model->generation_config().at("eos_token_id"), 2);
  EXPECT_NE(model->chat_template().find("<|im_start|>"), std::string::npos);
  EXPECT_EQ(model->tokenizer()->size(), 49152);
}

TEST_F(RealModel, RowsAreThoseOfTransformers) {
  const Json golden = Json::parse(read_file(FRUGAL_SOURCE_DIR "/frugal/formats/tests/golden/smollm2_rows.json"));
  ASSERT_FALSE(golden.at("rows").empty());
  for (const Json& entry : golden.at("rows")) {
    std::size_t index = 0;
    while (model->tensors().at(index).name != entry.at("tensor")) ++index;
    std::vector<float> row(static_cast<std::size_t>(model->tensors()[index].cols));
    const auto at = entry.at("row").get<std::int64_t>();
    model->read_rows(index, at, at + 1, row.data());
    std::string first;
    for (std::size_t i = 0; i < 32; ++i) {
      unsigned char byte;
      std::memcpy(&byte, reinterpret_cast<const char*>(row.data()) + i, 1);
      first += "0123456789abcdef"[byte >> 4];
      first += "0123456789abcdef"[byte & 15];
    }
    EXPECT_EQ(first, entry.at("first")) << entry.at("tensor") << " row " << at;
  }
}

}  // namespace

// The root mean square error of matrices of the model in each type, against ggml's own quantiser without an importance
// matrix (scripts/make_quantize_golden.py). The matrices lie on the grid of their file's Q4_1.
TEST_F(RealModel, QuantisesWithAtMostTheErrorOfGgml) {
  const Json golden = Json::parse(read_file(FRUGAL_SOURCE_DIR "/frugal/formats/tests/golden/smollm2_errors.json"));
  ASSERT_EQ(golden.at("matrices").size(), 22u);
  for (const Json& entry : golden.at("matrices")) {
    std::size_t index = 0;
    while (gguf_name(model->tensors().at(index).name) != entry.at("name")) ++index;
    const SourceTensor& tensor = model->tensors()[index];
    std::vector<float> values(static_cast<std::size_t>(entry.at("rows").get<std::int64_t>() * tensor.cols));
    model->read_rows(index, 0, entry.at("rows"), values.data());
    for (const auto& [name, theirs] : entry.at("errors").items()) {
      const BlockType& type = *find_block_type(std::string_view(name));
      // K-quants of columns that they cannot hold: whole blocks of the rows one after the other, in the file's order.
      if (tensor.cols % type.elements != 0 && has_rotary_rows(tensor.name)) continue;
      const auto count = static_cast<std::int64_t>(values.size()) / type.elements;
      std::vector<std::byte> blocks(static_cast<std::size_t>(count * type.bytes));
      std::vector<float> again(values.size());
      type.quantize(values.data(), count, blocks.data());
      type.dequantize(blocks.data(), count, again.data());
      double sum = 0;
      for (std::size_t i = 0; i < values.size(); ++i) sum += std::pow(double{again[i]} - values[i], 2);
      EXPECT_LE(std::sqrt(sum / static_cast<double>(values.size())), 1.02 * theirs.get<double>())
          << name << " of " << tensor.name;
    }
  }
}

}  // namespace frugal
