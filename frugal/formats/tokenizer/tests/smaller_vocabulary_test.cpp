// Fewer tokens: what is kept, how texts are encoded then, against a second implementation.
#include "frugal/formats/smaller_vocabulary.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "frugal/base/error.h"
#include "frugal/formats/model_source.h"
#include "frugal/formats/tokenizer/tests/golden_files.h"

namespace frugal {
namespace {

using tokenizer_tests::golden;
using tokenizer_tests::texts;

TokenizerModel small_model(const std::string& pre) {
  const Json variant = golden("small_" + pre + ".json");
  Json json = golden("small.json").at("tokenizer");
  json["pre_tokenizer"] = variant.at("pre_tokenizer");
  json["normalizer"] = variant.at("normalizer");
  json["model"]["ignore_merges"] = variant.at("ignore_merges");
  return Tokenizer::parse_json(json, nullptr);
}

std::vector<std::string> every_third() {
  const std::vector<std::string> all = texts();
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < all.size(); i += 3) kept.push_back(all[i]);
  return kept;
}

// What must hold of any tokenizer and any texts that it keeps the tokens of.
void expect_keeps(const Tokenizer& larger, const std::vector<std::string>& kept_texts) {
  const SmallerVocabulary found = smaller_vocabulary(larger, kept_texts);
  const Tokenizer smaller(found.tokenizer);
  ASSERT_EQ(static_cast<std::size_t>(smaller.size()), found.kept.size());
  ASSERT_LT(smaller.size(), larger.size());
  for (const bool special : {false, true}) {
    for (const std::string& text : kept_texts) {
      std::vector<std::int32_t> expected;
      for (const std::int32_t id : larger.encode(text, special)) expected.push_back(found.id_of(id));
      EXPECT_EQ(smaller.encode(text, special), expected) << Json(text).dump();
    }
  }
  for (std::size_t id = 0; id < found.kept.size(); ++id) {
    const std::string piece = larger.piece(found.kept[id]);
    EXPECT_EQ(smaller.piece(static_cast<std::int32_t>(id)), piece);
    // As reachable as it was: by merges that stay.
    if (larger.encode(piece, true) == std::vector{found.kept[id]}) {
      EXPECT_EQ(smaller.encode(piece, true), std::vector{static_cast<std::int32_t>(id)}) << piece;
    }
  }
  std::mt19937 random(1);
  const char pool[] = "ab the in 1\n\r\t'<|im_start|>\x80\xc3\xa9\xe4\xbd\xa0\xff\xf0\x9f\x98\x80";
  for (int round = 0; round < 1000; ++round) {
    std::string text;
    for (auto length = random() % 40; length > 0; --length)
      text += round % 2 ? static_cast<char>(random()) : pool[random() % (sizeof pool - 1)];
    for (const bool special : {false, true}) {
      const auto ids = smaller.encode(text, special), before = larger.encode(text, special);
      EXPECT_EQ(smaller.decode(ids, false), larger.decode(before, false));
    }
  }
}

class SmallerVocabularyOf : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Tokenizer, SmallerVocabularyOf,
                         testing::Values("gpt-2", "smollm", "llama-bpe", "qwen2", "custom", "whole"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(SmallerVocabularyOf, IsThatOfTheSecondImplementation) {
  const Json reference = golden(std::string("smaller_") + GetParam() + ".json");
  const SmallerVocabulary found = smaller_vocabulary(Tokenizer(small_model(GetParam())), every_third());
  EXPECT_EQ(Json(found.kept), reference.at("kept"));
  const Tokenizer smaller(found.tokenizer);
  tokenizer_tests::expect_encodes_as(smaller, reference);
  const Tokenizer again(Tokenizer::parse_json_text(smaller.to_json().dump(), smaller.config_json("")));
  tokenizer_tests::expect_encodes_as(again, reference);
}

TEST_P(SmallerVocabularyOf, KeepsItsTextsAndReadsAllOthers) {
  const Tokenizer larger(small_model(GetParam()));
  expect_keeps(larger, every_third());
  expect_keeps(larger, {"the"});
  expect_keeps(larger, {"hello then return for", "<|im_start|>"});
}

// Tokens with a task of their own stay, wherever they lie, and so do those that are asked for.
TEST(SmallerVocabulary, KeepsWhatTheModelNames) {
  TokenizerModel model = small_model("gpt-2");
  model.bos = model.added[0].id;
  model.eos = 300;
  model.pad = model.added[1].id;
  model.add_bos = true;
  const Tokenizer larger(model);
  const SmallerVocabulary found = smaller_vocabulary(larger, {"the"}, {310, -1, 1 << 30});
  EXPECT_EQ(found.tokenizer.added.size(), model.added.size());
  for (const auto& added : found.tokenizer.added)
    EXPECT_EQ(added.text, found.tokenizer.tokens[static_cast<std::size_t>(added.id)]);
  EXPECT_EQ(found.kept[static_cast<std::size_t>(found.tokenizer.bos)], model.bos);
  EXPECT_EQ(found.kept[static_cast<std::size_t>(found.tokenizer.eos)], 300);
  EXPECT_EQ(found.kept[static_cast<std::size_t>(found.tokenizer.pad)], model.pad);
  EXPECT_EQ(found.tokenizer.unk, -1);
  EXPECT_GE(found.id_of(310), 0);
  EXPECT_EQ(found.id_of(311), -1);
  EXPECT_TRUE(found.tokenizer.add_bos);
  EXPECT_TRUE(std::is_sorted(found.kept.begin(), found.kept.end()));
}

TEST(SmallerVocabulary, ATextOfBytesAloneIsRefused) {
  const Tokenizer larger(small_model("gpt-2"));
  for (const char* text : {"", "\x80\xff"}) {
    try {
      smaller_vocabulary(larger, {text});
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::input);
      EXPECT_FALSE(error.fix().empty());
    }
  }
}

TEST(SmallerVocabulary, OfSmolLM2) {
  const std::string path = FRUGAL_SOURCE_DIR "/build/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there; make test downloads it";
  const auto larger = ModelSource::open(path)->tokenizer();
  const Json reference = golden("smaller_smollm2.json");
  const SmallerVocabulary found = smaller_vocabulary(*larger, every_third());
  EXPECT_EQ(Json(found.kept), reference.at("kept"));
  tokenizer_tests::expect_encodes_as(Tokenizer(found.tokenizer), reference);
  expect_keeps(*larger, {read_file(FRUGAL_SOURCE_DIR "/README.md")});
}

}  // namespace
}  // namespace frugal
