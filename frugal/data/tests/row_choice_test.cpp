// A sample and a split are of the records, not of their places: seeded, even over the labels, apart from each other.
#include "frugal/data/row_choice.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <set>

#include "frugal/data/prompt_task.h"
#include "frugal/data/tests/small_tokenizer.h"

namespace frugal {
namespace {

class Chosen : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "frugal-rows-XXXXXX";  // tests run side by side
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::string lines;
    for (int i = 0; i < 400; ++i) lines += line(i);
    write_file(folder_ / "all.jsonl", lines);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static std::string label_of(int i) { return i % 40 == 0 ? "rare" : i % 4 == 0 ? "some" : "most"; }
  static std::string line(int i) {
    return Json{{"text", "number " + std::to_string(i)}, {"label", label_of(i)}}.dump() + "\n";
  }
  Dataset load(const RowChoice& choice, const std::string& file = "all.jsonl") const {
    PromptConfig config;
    config.prompt_template = "{text}:";
    config.labels = {"rare", "some", "most"};
    return PromptTask(config, tokenizer_).load(folder_ / file, {}, choice);
  }
  std::set<std::vector<std::int32_t>> prompts(const Dataset& data) const {
    std::set<std::vector<std::int32_t>> all;
    for (const Example& example : data.examples) all.insert(example.prompt);
    return all;
  }
  static RowChoice sample(std::size_t count, std::uint64_t seed) {
    RowChoice choice(count);
    choice.is_sample = true;
    choice.seed = seed;
    return choice;
  }
  static RowChoice share(double from, double to) {
    RowChoice choice;
    choice.from = from, choice.to = to;
    return choice;
  }
  const Tokenizer tokenizer_ = small_tokenizer();
  std::filesystem::path folder_;
};

TEST_F(Chosen, FrontIsTheFirstOnes) {
  EXPECT_EQ(load({}).examples.size(), 400u);
  const Dataset front = load(7);
  ASSERT_EQ(front.examples.size(), 7u);
  EXPECT_EQ(front.label_counts, (std::vector<std::uint32_t>{1, 1, 5}));
}

TEST_F(Chosen, ASampleIsEvenOverTheLabelsAndOfItsSeed) {
  const Dataset one = load(sample(60, 1)), again = load(sample(60, 1)), other = load(sample(60, 2));
  EXPECT_EQ(one.label_counts, (std::vector<std::uint32_t>{10, 25, 25})) << "all ten that are rare, then the others";
  EXPECT_EQ(prompts(one), prompts(again));
  EXPECT_NE(prompts(one), prompts(other));
  EXPECT_EQ(prompts(one).size(), 60u);
  EXPECT_EQ(load(sample(1000, 1)).examples.size(), 400u);
  for (const auto& wanted : prompts(load(sample(30, 1)))) EXPECT_TRUE(prompts(one).contains(wanted)) << "a part of it";
  // The order of the file does not matter.
  std::string lines;
  for (int i = 399; i >= 0; --i) lines += line(i);
  write_file(folder_ / "backwards.jsonl", lines);
  EXPECT_EQ(prompts(load(sample(60, 1), "backwards.jsonl")), prompts(one));
}

TEST_F(Chosen, SharesAreApartAndMakeUpTheWhole) {
  const auto dev = prompts(load(share(0, 0.1))), test = prompts(load(share(0.1, 0.3))),
             train = prompts(load(share(0.3, 1)));
  EXPECT_EQ(dev.size() + test.size() + train.size(), 400u);
  std::set<std::vector<std::int32_t>> all = dev;
  all.insert(test.begin(), test.end());
  all.insert(train.begin(), train.end());
  EXPECT_EQ(all, prompts(load({})));
  EXPECT_NEAR(static_cast<double>(dev.size()), 40, 20);
  EXPECT_NEAR(static_cast<double>(test.size()), 80, 27);
  RowChoice few = share(0.3, 1);
  few.limit = 12, few.is_sample = true;
  const Dataset drawn = load(few);
  EXPECT_EQ(drawn.examples.size(), 12u);
  for (const auto& prompt : prompts(drawn)) EXPECT_TRUE(train.contains(prompt));
  // A record that is there twice is on one side.
  write_file(folder_ / "twice.jsonl", line(3) + line(3) + line(3));
  int sides = 0;
  for (const auto& [from, to] : {std::pair(0.0, 0.5), {0.5, 1.0}}) {
    try {
      EXPECT_EQ(load(share(from, to), "twice.jsonl").examples.size(), 3u);
      ++sides;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::input);
      EXPECT_FALSE(error.fix().empty());
    }
  }
  EXPECT_EQ(sides, 1);
}

TEST_F(Chosen, RecordsOfOtherTextHaveOtherHashes) {
  std::map<std::uint64_t, int> seen;
  const Records records = read_records(folder_ / "all.jsonl");
  for (std::size_t row = 0; row < records.rows.size(); ++row) ++seen[record_hash(records, row)];
  EXPECT_EQ(seen.size(), 400u);
  const auto hash = [](const std::string& text) { return record_hash(parse_chat_records(text, "f.json"), 0); };
  EXPECT_NE(hash(R"({"messages": [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "c"}]})"),
            hash(R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "bc"}]})"));
}

}  // namespace
}  // namespace frugal
