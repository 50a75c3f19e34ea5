// Trained rows as a file: the real program writes, merges and goes on from them, and refuses what cannot be.
#include <gtest/gtest.h>

#include <fstream>

#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

class TrainedRows : public OnModel {
 protected:
  void SetUp() override {
    OnModel::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    std::ifstream all(FRUGAL_SOURCE_DIR "/data/sms-spam/train.jsonl");
    std::ofstream some(folder_ / "train.jsonl");
    std::string line;
    for (int i = 0; i < 8 && std::getline(all, line); ++i) some << line << "\n";
  }
  int frugal(const std::string& arguments) const { return run(arguments).code; }
  int tune(const std::string& out, const std::string& more) const {
    return frugal("tune " + kModel + " --data " + at("train.jsonl") +
                  " --template 'Message: {text}\nIs this spam?' --labels ham=No,spam=Yes --method spruft --steps 2 "
                  "--batch 2 --max-length 32 --seed 7 --quiet --out " +
                  at(out) + " " + more);
  }
  std::string sha256(const std::string& run) const {
    std::ifstream in(folder_ / run / "run.json");
    return Json::parse(in).value("weights_sha256", "");
  }
};

TEST_F(TrainedRows, AreTheRunAsAFile) {
  ASSERT_EQ(tune("run", "--score wanda --score-batches 1 --rows 8"), 0);
  const std::string base = "merge " + kModel + " ";
  ASSERT_EQ(frugal(base + at("run") + " --out " + at("whole")), 0);
  ASSERT_EQ(frugal(base + at("run") + " --adapter --dtype f32 --out " + at("rows.safetensors")), 0);
  EXPECT_LT(fs::file_size(folder_ / "rows.safetensors"), fs::file_size(folder_ / "whole" / "model.safetensors") / 20);
  ASSERT_EQ(frugal(base + at("rows.safetensors") + " --out " + at("laid")), 0);
  EXPECT_EQ(std::system(("cmp -s " + at("whole/model.safetensors") + " " + at("laid/model.safetensors")).c_str()), 0);
  ASSERT_EQ(tune("on", "--lr 0 --adapter " + at("rows.safetensors")), 0);
  EXPECT_EQ(sha256("on"), sha256("run")) << "goes on from the file's values";

  // The base's own rows as a file, laid over the merged model, give the base again.
  ASSERT_EQ(frugal(base + at("run") + " --adapter --step 0 --dtype f32 --out " + at("first.safetensors")), 0);
  ASSERT_EQ(frugal("merge " + at("whole") + " " + at("first.safetensors") + " --out " + at("back")), 0);
  ASSERT_EQ(frugal(base + at("run") + " --step 0 --out " + at("plain")), 0);
  const auto is_same = [&](const char* a, const char* b) {
    return std::system(("cmp -s " + at(a) + "/model.safetensors " + at(b) + "/model.safetensors").c_str()) == 0;
  };
  EXPECT_TRUE(is_same("back", "plain"));
  EXPECT_FALSE(is_same("whole", "plain"));

  EXPECT_EQ(frugal(base + at("run") + " --adapter --out " + at("folder")), 2) << "rows are one file";
  EXPECT_EQ(frugal(base + at("run") + " --out " + at("model.safetensors")), 2) << "a model is a folder or GGUF";
  EXPECT_EQ(frugal(base + at("rows.safetensors") + " --adapter --out " + at("b.safetensors")), 2);

  // Rows that a record names are not believed: none, out of range, not rising.
  std::ifstream in(folder_ / "run" / "run.json");
  Json record = Json::parse(in);
  const Json first = record["chosen"]["rows"].begin().value();
  for (const Json& wrong : {Json::array({"3"}), Json::array({-1}), Json::array({4294967296}), Json::array({1000000}),
                            Json::array({5, 5})}) {
    record["chosen"]["rows"].begin().value() = wrong;
    std::ofstream(folder_ / "run" / "run.json") << record.dump();
    EXPECT_EQ(frugal(base + at("run") + " --out " + at("wrong")), 3) << wrong;
  }
  record["chosen"]["rows"].begin().value() = first;
  std::ofstream(folder_ / "run" / "run.json") << record.dump();
  EXPECT_EQ(frugal(base + at("run") + " --out " + at("right")), 0);
}

// Low-rank pairs of a run as a PEFT folder: laid over the base alone they give the run's model, and a run that goes on
// from them says what they are.
TEST_F(TrainedRows, PairsAreTheRunAsAFolder) {
  const std::string lora =
      " --template 'Message: {text}\nIs this spam?' --labels ham=No,spam=Yes --method lora --steps 2 "
      "--batch 2 --max-length 32 --quiet --data " +
      at("train.jsonl");
  ASSERT_EQ(frugal("tune " + kModel + lora + " --rank 3 --alpha 5 --dropout 0.125 --targets q_proj --lr 1e-2 --out " +
                   at("pairs")),
            0);
  const std::string base = "merge " + kModel + " ";
  ASSERT_EQ(frugal(base + at("pairs") + " --dtype f32 --out " + at("whole")), 0);
  ASSERT_EQ(frugal(base + at("pairs") + " --adapter --dtype f32 --out " + at("adapter")), 0);
  ASSERT_EQ(frugal(base + at("adapter") + " --dtype f32 --out " + at("laid")), 0);
  const auto weights = [&](const char* folder) { return read_file(folder_ / folder / "model.safetensors"); };
  ASSERT_GT(weights("whole").size(), 500u << 20);
  EXPECT_EQ(frugal(base + at("adapter") + " --adapter --out " + at("again")), 2) << "it is one already";
  EXPECT_EQ(frugal(base + at("adapter") + " --step 1 --out " + at("step")), 2) << "it has no steps";
  ASSERT_EQ(frugal("tune " + kModel + lora + " --lr 0 --adapter " + at("adapter") + " --out " + at("on")), 0);
  EXPECT_EQ(sha256("on"), sha256("pairs")) << "goes on from the folder's values";
  std::ifstream in(folder_ / "on" / "run.json");
  const Json settings = Json::parse(in)["settings"];
  EXPECT_EQ(settings["rank"], 3);
  EXPECT_EQ(settings["alpha"], 5.0);
  EXPECT_EQ(settings["dropout"], 0.125);
}

TEST_F(TrainedRows, AreRefusedWhereTheyCannotBe) {
  EXPECT_EQ(tune("a", "--weights stored --score taylor"), 2) << "no gradients of blocks as stored";
  EXPECT_EQ(tune("b", "--rows 4 --ratio 0.1"), 2);
  EXPECT_EQ(tune("c", "--rows 193 --targets k_proj"), 2) << "k has 192 rows";
  EXPECT_FALSE(fs::exists(folder_ / "a"));
  EXPECT_EQ(tune("d", "--weights stored --axis in --rows 4"), 0);
  std::ifstream in(folder_ / "d" / "run.json");
  EXPECT_EQ(Json::parse(in)["chosen"]["score"], "wanda") << "what there is without gradients";
}

}  // namespace
}  // namespace frugal
