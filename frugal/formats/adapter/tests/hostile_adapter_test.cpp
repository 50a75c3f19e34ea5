// Adapters that are broken, for another model, or use what is not supported.
#include <gtest/gtest.h>

#include "frugal/base/json.h"
#include "frugal/formats/adapter/tests/adapter_files.h"
#include "frugal/formats/safetensors/safetensors_file.h"

namespace frugal {
namespace {

using namespace adapter_tests;

class HostileAdapter : public testing::Test {
 protected:
  HostileAdapter() : shape(small_shape(true)) { use(small_adapter(shape, Kind::dora, "q_proj")); }
  void use(const LoraAdapter& adapter) {
    const TemporaryFolder folder;
    write_peft_adapter(adapter, shape, folder / "a");
    config = Json::parse(read_file(folder / "a" / "adapter_config.json"));
    weights = read_file(folder / "a" / "adapter_model.safetensors");
  }
  std::string refusal(const std::string& text, const std::string& data) const {
    return error_of([&] { parse_peft_adapter(text, bytes_of(data), shape, "a"); });
  }
  std::string with(const char* key, const Json& value) const {
    Json changed = config;
    changed[key] = value;
    return refusal(changed.dump(), weights);
  }
  // The file with its header changed by `edit`, and `more` after its data.
  template <class Edit>
  std::string with_header(Edit&& edit, const std::string& more = "") const {
    std::uint64_t length;
    std::memcpy(&length, weights.data(), 8);
    Json header = Json::parse(weights.substr(8, length));
    edit(header);
    const std::string text = header.dump();
    const std::uint64_t size = text.size();
    return refusal(config.dump(),
                   std::string(reinterpret_cast<const char*>(&size), 8) + text + weights.substr(8 + length) + more);
  }
  static void expect_part(const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected: " << part;
  }

  const std::string first = "base_model.model.model.layers.0.self_attn.q_proj";
  ModelShape shape;
  Json config;
  std::string weights;
};

TEST_F(HostileAdapter, TheAdapterItselfIsFine) {
  EXPECT_EQ(refusal(config.dump(), weights), "no error");
  Json newer = config;  // settings that change nothing
  newer["loftq_config"] = Json::object();
  newer["layers_to_transform"] = nullptr;
  newer["use_qalora"] = false;
  newer["qalora_group_size"] = 16;
  newer["peft_version"] = "9.9";
  newer["added_next_year"] = nullptr;
  EXPECT_EQ(refusal(newer.dump(), weights), "no error");
}

TEST_F(HostileAdapter, UnsupportedSettingsAreNamed) {
  const std::pair<const char*, Json> cases[] = {{"peft_type", "IA3"},
                                                {"peft_type", nullptr},
                                                {"task_type", "SEQ_CLS"},
                                                {"bias", "all"},
                                                {"fan_in_fan_out", true},
                                                {"modules_to_save", {"lm_head"}},
                                                {"layers_to_transform", {0}},
                                                {"layers_to_transform", 0},
                                                {"layers_pattern", "layers"},
                                                {"megatron_config", {{"a", 1}}},
                                                {"loftq_config", {{"loftq_bits", 4}}},
                                                {"init_lora_weights", "pissa_niter_4"},
                                                {"init_lora_weights", "olora"},
                                                {"trainable_token_indices", {1, 2}},
                                                {"layer_replication", {{0, 1}}},
                                                {"lora_bias", true},
                                                {"target_parameters", {"x"}},
                                                {"alora_invocation_tokens", {5}},
                                                {"use_qalora", true},
                                                {"corda_config", {{"a", 1}}},
                                                {"added_next_year", 0.5}};
  for (const auto& [key, value] : cases)
    expect_part(with(key, value), key == std::string("peft_type") ? "'peft_type'" : "'" + std::string(key) + "' is");
}

TEST_F(HostileAdapter, WrongTypesAndRangesAreNamed) {
  const std::pair<const char*, Json> cases[] = {{"r", 0},
                                                {"r", -1},
                                                {"r", "3"},
                                                {"r", 3.5},
                                                {"r", 1ull << 63},
                                                {"r", 65537},
                                                {"lora_alpha", 0},
                                                {"lora_alpha", -2},
                                                {"lora_alpha", "8"},
                                                {"lora_dropout", 1},
                                                {"lora_dropout", -0.1},
                                                {"lora_dropout", Json::array()},
                                                {"use_dora", 1},
                                                {"use_rslora", "yes"},
                                                {"target_modules", 7},
                                                {"target_modules", {1}},
                                                {"rank_pattern", {{"q_proj", 0}}},
                                                {"rank_pattern", {"q_proj"}},
                                                {"alpha_pattern", {{"q_proj", "x"}}},
                                                {"alpha_pattern", {{"(", 1}}},
                                                {"alpha_pattern", {{std::string(600, 'a'), 1}}},
                                                {"exclude_modules", "("},
                                                {"base_model_name_or_path", 5}};
  for (const auto& [key, value] : cases) expect_part(with(key, value), key);
}

TEST_F(HostileAdapter, PatternsThatBacktrackForEverGiveUp) {
  expect_part(with("alpha_pattern", {{"(.*.*.*.*.*.*)*[!?]", 1}}), "gives up");
}

TEST_F(HostileAdapter, ConfigurationsThatAreNotOneAreRefused) {
  for (const char* text : {"", "{", "[]", "null", "\"LORA\"", "{\"peft_type\": \"LORA\"}"})
    EXPECT_NE(refusal(text, weights), "no error") << text;
  expect_part(refusal(std::string(100000, '['), weights), "nested");
  expect_part(refusal(std::string(300000, ' ') + config.dump(), weights), "at most");
}

TEST_F(HostileAdapter, EmbeddingsAreRefused) {
  expect_part(with("target_modules", {"q_proj", "embed_tokens"}), "model.embed_tokens");
  expect_part(with("target_modules", {"q_proj", "lm_head"}), "lm_head");
  expect_part(with("target_modules", ".*"), "model.embed_tokens");
}

TEST_F(HostileAdapter, AnotherModelsShapeIsShownWithBoth) {
  shape.hidden = 72;
  expect_part(refusal(config.dump(), weights), first + ".lora_A.weight has shape [3, 64], expected [3, 72]");
  shape = small_shape(true);
  shape.layers[0].heads = 5;
  expect_part(refusal(config.dump(), weights), first + ".lora_B.weight has shape [32, 3], expected [40, 3]");
  shape = small_shape(true);
  expect_part(with("r", 65536), first + ".lora_A.weight has shape [3, 64], expected [65536, 64]");
}

TEST_F(HostileAdapter, MissingTensorsAreNamed) {
  expect_part(with("target_modules", {"q_proj", "v_proj"}),
              "no tensor base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight");
  shape.layers.push_back(shape.layers.back());
  expect_part(refusal(config.dump(), weights),
              "no tensor base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight");
  shape.layers.pop_back();
  use(small_adapter(shape, Kind::lora, "q_proj"));
  expect_part(with("use_dora", true), "no tensor " + first + ".lora_magnitude_vector");
}

TEST_F(HostileAdapter, LeftOverTensorsAreNamed) {
  expect_part(with("use_dora", false), first + ".lora_magnitude_vector");
  expect_part(with("target_modules", {"model.layers.0.self_attn.q_proj"}),
              "the tensor base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight");
  expect_part(with("exclude_modules", {"layers.1.self_attn.q_proj"}), "layers.1");
  shape.layers.pop_back();
  expect_part(refusal(config.dump(), weights),
              "the tensor base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight");
}

TEST_F(HostileAdapter, TheLaterSpellingOfMagnitudesIsRead) {
  EXPECT_EQ(with_header([&](Json& header) {
              for (const char* layer : {"0", "1"}) {
                const std::string name =
                    "base_model.model.model.layers." + std::string(layer) + ".self_attn.q_proj.lora_magnitude_vector";
                header[name + ".weight"] = header[name];
                header.erase(name);
              }
            }),
            "no error");
}

TEST_F(HostileAdapter, NamesWithPathPartsAreRefused) {
  for (const char* name : {"../../etc/passwd", "/x", "a..b", "a\nb", "a\\b", ""}) {
    const std::string message = with_header([&](Json& header) {
      header[name] = {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
    });
    expect_part(message, "a tensor has the name");
  }
}

TEST_F(HostileAdapter, OtherDtypesAndHugeShapesAreRefused) {
  expect_part(with_header([&](Json& header) { header[first + ".lora_A.weight"]["dtype"] = "I32"; }), "dtype I32");
  expect_part(with_header([&](Json& header) {
                header[first + ".lora_A.weight"]["shape"] = {1ull << 39, 64};
              }),
              "bytes");
  expect_part(with_header([&](Json& header) { header[first + ".lora_A.weight"]["shape"] = {192}; }),
              "has shape [192], expected [3, 64]");
}

TEST_F(HostileAdapter, ValuesThatAreNotFiniteAreNamed) {
  const float bad = std::numeric_limits<float>::infinity();
  std::memcpy(weights.data() + weights.size() - 4, &bad, 4);
  expect_part(refusal(config.dump(), weights), "lora_magnitude_vector holds inf");
}

TEST_F(HostileAdapter, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < weights.size(); size += size < 1200 ? 1 : 97)
    EXPECT_NE(refusal(config.dump(), weights.substr(0, size)), "no error") << size;
  for (std::size_t size = 0; size < config.dump().size(); ++size)
    EXPECT_NE(refusal(config.dump().substr(0, size), weights), "no error") << size;
}

TEST_F(HostileAdapter, FoldersWithoutTheFilesSayWhatIsMissing) {
  const TemporaryFolder folder;
  expect_part(error_of([&] { read_peft_adapter(folder / "", shape); }), "adapter_config.json");
  write_file(folder / "adapter_config.json", config.dump());
  write_file(folder / "adapter_model.bin", "pickle");
  expect_part(error_of([&] { read_peft_adapter(folder / "", shape); }), "adapter_model.safetensors");
  write_file(folder / "adapter_model.safetensors", weights);
  EXPECT_EQ(read_peft_adapter(folder / "", shape).factors.size(), 2u);
}

}  // namespace
}  // namespace frugal
