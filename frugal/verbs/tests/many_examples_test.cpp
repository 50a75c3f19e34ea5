// Files of many examples: what they take in memory, and what is said that they take.
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>

#include <fstream>

#include "frugal/base/error.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/data/preference_task.h"
#include "frugal/data/prompt_task.h"
#include "frugal/data/sequence_task.h"
#include "frugal/data/tests/byte_tokenizer.h"

namespace frugal {
namespace {

class ManyExamples : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "frugal-many-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    // As much text a token as an English tokenizer has: one of these words is a token.
    std::ofstream file(folder_ / "many.jsonl");
    for (int i = 0; i < kExamples; ++i) {
      file << R"({"text": ")";
      for (int j = 0; j < 12; ++j) file << (j > 0 ? " " : "") << ((i + j) % 3 == 0 ? "seven" : "three");
      file << R"(", "label": ")" << (i % 2 == 0 ? "Yes" : "No") << "\"}\n";
    }
    file.close();
    bytes_ = std::filesystem::file_size(folder_ / "many.jsonl");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static Tokenizer tokenizer() {
    const std::string space = "\xC4\xA0";
    std::vector<std::string> merges;
    for (const std::string word : {"seven", "three"}) {
      std::string left = space;
      for (const char c : word) {
        merges.push_back(left + " " + c);
        left += c;
      }
    }
    TokenizerModel model = byte_model(merges, false);
    model.eos = model.bos;
    return Tokenizer(model);
  }
  // What `load` takes: within twice the file while it reads, and as much as it says afterwards.
  template <class Load>
  void expect_within(const Load& load) const {
#if defined(__SANITIZE_ADDRESS__)  // which keeps what was freed, and pads
    load();
#else
    ::malloc_trim(0);  // what earlier tests freed
    reset_peak();
    const MemoryUsage before = memory_usage();
    const auto data = load();
    const MemoryUsage after = memory_usage();
    EXPECT_LE(after.peak - before.resident, 2 * bytes_);
    const double kept = static_cast<double>(after.anonymous - before.anonymous);
    EXPECT_NEAR(kept, static_cast<double>(data.bytes), 0.15 * kept + (2 << 20));
#endif
  }
  static constexpr int kExamples = 150'000;
  std::filesystem::path folder_;
  std::uint64_t bytes_ = 0;
};

TEST_F(ManyExamples, LabelsStayWithinTwiceTheFile) {
  const Tokenizer t = tokenizer();
  PromptConfig config;
  config.prompt_template = "{text}:";
  config.labels = {"No", "Yes"};
  const PromptTask task(config, t);
  expect_within([&] {
    Dataset data = task.load(folder_ / "many.jsonl", {}, 0);
    EXPECT_EQ(data.examples.size(), static_cast<std::size_t>(kExamples));
    EXPECT_EQ(data.examples.back().row, static_cast<std::uint32_t>(kExamples - 1));
    return data;
  });
  // Of a few of them everything is as it is read together.
  const Dataset few = task.load(folder_ / "many.jsonl", {}, 500),
                read = task.encode(read_records(folder_ / "many.jsonl", {}, 500));
  ASSERT_EQ(few.examples.size(), 500u);
  EXPECT_EQ(few.label_counts, read.label_counts);
  EXPECT_EQ(few.bytes, read.bytes);
  for (std::size_t i = 0; i < 500; ++i) {
    EXPECT_EQ(few.examples[i].prompt, read.examples[i].prompt);
    EXPECT_EQ(few.examples[i].label, read.examples[i].label);
    EXPECT_EQ(few.examples[i].row, read.examples[i].row);
  }
}

TEST_F(ManyExamples, SequencesStayWithinTwiceTheFile) {
  const Tokenizer t = tokenizer();
  SequenceConfig config;
  config.prompt_template = "{text}:";
  config.completion = "label";
  const SequenceTask task(config, t, "");
  expect_within([&] { return task.load(folder_ / "many.jsonl"); });
  const SequenceDataset few = task.load(folder_ / "many.jsonl", 500),
                        read = task.encode({read_records(folder_ / "many.jsonl", {}, 500), {}});
  ASSERT_EQ(few.sequences.size(), 500u);
  EXPECT_EQ(few.tokens, read.tokens);
  for (std::size_t i = 0; i < 500; ++i) {
    EXPECT_EQ(few.sequences[i].tokens, read.sequences[i].tokens);
    EXPECT_EQ(few.sequences[i].is_target, read.sequences[i].is_target);
    EXPECT_EQ(few.sequences[i].row, read.sequences[i].row);
  }
}

// Whoever waits is asked before the next part is read.
TEST_F(ManyExamples, AGuardStopsTheReading) {
  const Tokenizer t = tokenizer();
  PromptConfig config;
  config.prompt_template = "{text}:";
  config.labels = {"No", "Yes"};
  int calls = 0;
  const auto stop = [&](std::uint64_t bytes) {
    EXPECT_GT(bytes, 1024u * static_cast<std::uint64_t>(calls) * sizeof(Example));
    if (++calls == 3) throw Error(Exit::budget, "enough", "stop");
  };
  EXPECT_THROW(PromptTask(config, t).load(folder_ / "many.jsonl", {}, 0, stop), Error);
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace frugal
