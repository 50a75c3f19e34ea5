#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <fstream>

#include "frugal/base/atomic_file.h"
#include "frugal/formats/names.h"
#include "frugal/formats/safetensors/safetensors_file.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using namespace formats_tests;

Json read_json(const std::filesystem::path& path) { return Json::parse(read_file(path)); }

class HfFolder : public testing::Test {
 protected:
  HfFolder() : model(small_shape(true)), path(folder / "model") { write(model); }
  void write(const ModelSource& source) {
    std::filesystem::remove_all(path);
    export_hf_folder(source, rows_of(source), "f32", path, ignore_progress);
  }
  void change_config(const char* key, Json value) {
    Json config = read_json(path / "config.json");
    config[key] = std::move(value);
    write_file(path / "config.json", config.dump());
  }
  void expect_refused(const std::string& part) {
    const std::string message = error_of([&] { ModelSource::open(path); });
    EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected: " << part;
  }
  // Moves the weights into two shards with an index.
  void shard() {
    const std::string file = read_file(path / "model.safetensors");
    const auto tensors = parse_safetensors(std::as_bytes(std::span(file)), "file");
    std::vector<SafeTensorHeader> headers[2];
    std::string data[2];
    Json map = Json::object();
    std::size_t i = 0;
    for (const auto& [name, tensor] : tensors) {
      const std::size_t to = i++ % 2;
      headers[to].push_back({name, tensor.dtype, tensor.shape, tensor.data.size()});
      data[to].append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
      map[name] = "model-0000" + std::to_string(to + 1) + "-of-00002.safetensors";
    }
    for (std::size_t s = 0; s < 2; ++s) {
      write_file(path / ("model-0000" + std::to_string(s + 1) + "-of-00002.safetensors"),
                 make_safetensors_header(headers[s]) + data[s]);
    }
    std::filesystem::remove(path / "model.safetensors");
    write_file(path / "model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  }

  TemporaryFolder folder;
  SmallModel model;
  std::filesystem::path path;
};

TEST_F(HfFolder, ShardsReadAsOneFile) {
  shard();
  const auto again = ModelSource::open(path);
  for (std::size_t i = 0; i < model.tensors().size(); ++i)
    EXPECT_EQ(whole_tensor(*again, i), model.values(i)) << model.tensors()[i].name;
}

TEST_F(HfFolder, RefusesShardsOutsideTheFolder) {
  shard();
  for (const char* name : {"../model.safetensors", "/etc/passwd", "..", "a/b", ""}) {
    write_file(path / "model.safetensors.index.json", Json{{"weight_map", {{"a", name}}}}.dump());
    expect_refused("names the shard");
  }
}

TEST_F(HfFolder, RefusesATensorInTwoShards) {
  shard();
  std::filesystem::copy_file(path / "model-00001-of-00002.safetensors", path / "copy.safetensors");
  Json index = read_json(path / "model.safetensors.index.json");
  index["weight_map"]["x"] = "copy.safetensors";
  write_file(path / "model.safetensors.index.json", index.dump());
  expect_refused("lies in two shards");
}

TEST_F(HfFolder, ShapesThatDisagreeAreShownBoth) {
  change_config("intermediate_size", 95);
  expect_refused("model.layers.0.mlp.gate_proj.weight has shape [96, 64], expected [95, 64]");
}

TEST_F(HfFolder, RefusesOtherFamiliesByName) {
  change_config("model_type", "gpt2");
  expect_refused("'gpt2'");
}

TEST_F(HfFolder, RefusesWhatItCannotCompute) {
  const std::pair<const char*, Json> cases[] = {{"hidden_act", "gelu"},
                                                {"num_key_value_heads", 3},
                                                {"num_hidden_layers", 0},
                                                {"vocab_size", 1ull << 63},
                                                {"hidden_size", "64"},
                                                {"head_dim", 7},
                                                {"rms_norm_eps", "small"},
                                                {"rope_scaling", {{"rope_type", "yarn"}}},
                                                {"rope_theta", 0},
                                                {"rope_theta", -10000},
                                                {"max_position_embeddings", -1},
                                                {"rms_norm_eps", -1},
                                                {"rms_norm_eps", Json::array({1})}};
  for (const auto& [key, value] : cases) {
    write(model);
    change_config(key, value);
    EXPECT_NE(error_of([&] { ModelSource::open(path); }), "no error") << key << " " << value;
  }
}

// A value nested a million deep is refused before anything walks it.
TEST_F(HfFolder, RefusesDeepNesting) {
  constexpr int kDeep = 1000000;
  std::string config = read_file(path / "config.json");
  config.insert(config.find('{') + 1, "\"rms_norm_eps\":" + std::string(kDeep, '[') + std::string(kDeep, ']') + ",");
  write_file(path / "config.json", config);
  expect_refused("config.json");
}

TEST_F(HfFolder, MistralIsALlamaWithoutASlidingWindow) {
  change_config("model_type", "mistral");
  change_config("sliding_window", nullptr);
  EXPECT_EQ(ModelSource::open(path)->shape().architecture, "llama");
  change_config("sliding_window", 4096);
  expect_refused("sliding window of 4096");
}

TEST_F(HfFolder, MissingPartsAreNamed) {
  std::filesystem::remove(path / "tokenizer.json");
  EXPECT_NE(error_of([&] { ModelSource::open(path)->tokenizer(); }).find("tokenizer.json"), std::string::npos);
  std::filesystem::remove(path / "model.safetensors");
  expect_refused("neither model.safetensors nor");
  std::filesystem::remove(path / "config.json");
  expect_refused("no config.json");
}

// A configuration of fewer layers than the weights have is another model.
TEST_F(HfFolder, RefusesWeightsThatItsConfigurationPassesOver) {
  EXPECT_TRUE(is_missed("model.layers.0.self_attn.q_proj.bias", "model.layers.", 2));
  EXPECT_FALSE(is_missed("model.layers.1.self_attn.q_proj.weight", "model.layers.", 2));
  EXPECT_FALSE(is_missed("model.layers.x.bias", "model.layers.", 2));
  EXPECT_FALSE(is_missed("lm_head.bias", "model.layers.", 2));
  change_config("num_hidden_layers", 1);
  expect_refused("holds the tensor model.layers.1.");
  shard();
  expect_refused("holds the tensor model.layers.1.");
}

// What a run reads from a map is the file that it opened, or the run ends.
TEST_F(HfFolder, NoticesThatItWasEditedOrReplaced) {
  const auto open = ModelSource::open(path);
  EXPECT_NO_THROW(open->require_unchanged());
  const std::string metadata = open->metadata_sha256();
  const std::filesystem::path weights = path / "model.safetensors";
  std::fstream(weights, std::ios::in | std::ios::out | std::ios::binary).seekp(-1, std::ios::end).put('x');
  std::filesystem::last_write_time(weights, std::filesystem::last_write_time(weights) + std::chrono::seconds(1));
  EXPECT_NE(error_of([&] { open->require_unchanged(); }).find("was changed while it was being read"),
            std::string::npos);
  EXPECT_EQ(ModelSource::open(path)->metadata_sha256(), metadata) << "weights have a hash of their own";
  change_config("rope_theta", 20000.0);
  EXPECT_NE(ModelSource::open(path)->metadata_sha256(), metadata);
}

TEST_F(HfFolder, RefusesAFolderThatIsNotEmpty) {
  const std::string before = read_file(path / "config.json");
  EXPECT_NE(error_of([&] {
              export_hf_folder(model, rows_of(model), "bf16", path, ignore_progress);
            }).find("not an empty folder"),
            std::string::npos);
  EXPECT_EQ(read_file(path / "config.json"), before);
  EXPECT_EQ(folder.entries(), 1u);
}

TEST_F(HfFolder, AnEmptyFolderAndATrailingSlashAreFine) {
  std::filesystem::create_directory(folder / "empty");
  export_hf_folder(model, rows_of(model), "f32", folder / "empty", ignore_progress);
  export_hf_folder(model, rows_of(model), "f32", folder / "slash/", ignore_progress);
  for (const char* name : {"empty", "slash"})
    EXPECT_EQ(ModelSource::open(folder / name)->tensors().size(), model.tensors().size()) << name;
  EXPECT_EQ(folder.entries(), 3u);
}

TEST_F(HfFolder, NothingIsLeftWhenItFails) {
  const auto stop = [](std::size_t done, std::size_t) {
    if (done == 5) throw Error(Exit::interrupted, "stopped", "start again");
  };
  EXPECT_EQ(error_of([&] { export_hf_folder(model, rows_of(model), "f32", folder / "other", stop); }), "stopped");
  EXPECT_EQ(folder.entries(), 1u);
  EXPECT_NE(error_of([&] { export_hf_folder(model, rows_of(model), "q8_0", folder / "other", ignore_progress); }),
            "no error");
  EXPECT_EQ(folder.entries(), 1u);
}

}  // namespace
}  // namespace frugal
