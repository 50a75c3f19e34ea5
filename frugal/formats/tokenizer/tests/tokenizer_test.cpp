#include "frugal/formats/tokenizer.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <thread>

#include "frugal/base/error.h"
#include "frugal/formats/tokenizer/byte_alphabet.h"
#include "frugal/formats/tokenizer/tests/golden_files.h"

namespace frugal {
namespace {

using tokenizer_tests::golden;
using tokenizer_tests::texts;

// The small committed BPE with the pre-tokenizer and normalizer of a golden file.
Json small_json(const Json& variant) {
  Json json = golden("small.json").at("tokenizer");
  json["pre_tokenizer"] = variant.at("pre_tokenizer");
  json["normalizer"] = variant.at("normalizer");
  json["model"]["ignore_merges"] = variant.at("ignore_merges");
  return json;
}

TokenizerModel small_model(const std::string& pre) {
  return Tokenizer::parse_json(small_json(golden("small_" + pre + ".json")), nullptr);
}

class Variant : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Tokenizer, Variant,
                         testing::Values("gpt-2", "smollm", "llama-bpe", "qwen2", "custom", "whole"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(Variant, EncodesAsTheReference) {
  const Json variant = golden(std::string("small_") + GetParam() + ".json");
  const TokenizerModel model = Tokenizer::parse_json(small_json(variant), nullptr);
  if (!model.pre.starts_with("[")) {
    EXPECT_EQ(model.pre, GetParam());
  }
  tokenizer_tests::expect_encodes_as(Tokenizer(model), variant);
}

TEST_P(Variant, WrittenJsonReadsBackAsTheSameTokenizer) {
  const Json variant = golden(std::string("small_") + GetParam() + ".json");
  const Tokenizer first(small_model(GetParam()));
  const std::string text = first.to_json().dump();
  const Tokenizer second(Tokenizer::parse_json_text(text, first.config_json("")));
  EXPECT_EQ(second.model().pre, first.model().pre);
  EXPECT_EQ(second.to_json().dump(), text);
  tokenizer_tests::expect_encodes_as(second, variant);
}

TEST_P(Variant, DecodeUndoesEncodeForAnyBytes) {
  TokenizerModel model = small_model(GetParam());
  model.nfc = false;                                                    // a normal form cannot be undone
  for (auto& added : model.added) added.lstrip = added.rstrip = false;  // nor swallowed white space
  const Tokenizer tokenizer(model);
  std::mt19937 random(1);
  const char pool[] = "ab 1\n\r\t'<|im_start|>\x80\xc3\xa9\xe4\xbd\xa0\xff\xf0\x9f\x98\x80";
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (auto length = random() % 24; length > 0; --length)
      text += round % 2 ? static_cast<char>(random()) : pool[random() % (sizeof pool - 1)];
    for (const bool special : {false, true}) EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, special), false), text);
  }
}

TEST(Tokenizer, MergesLikeTheRuleSaysWordByWord) {  // second implementation: look at all pairs, join the best, again
  const TokenizerModel model = small_model("whole");
  const Tokenizer tokenizer(model);
  const auto slow = [&](const std::string& text) {
    std::vector<std::string> parts;
    for (const char c : text) parts.push_back(byte_to_letter(static_cast<unsigned char>(c)));
    for (;;) {
      std::size_t best = model.merges.size(), at = 0;
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto rank = static_cast<std::size_t>(
            std::find(model.merges.begin(), model.merges.end(), parts[i] + " " + parts[i + 1]) - model.merges.begin());
        if (rank < best) best = rank, at = i;
      }
      if (best == model.merges.size()) return parts;
      parts[at] += parts[at + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
  };
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (auto length = random() % 40; length > 0; --length) text += "the int"[random() % 7];
    std::vector<std::string> parts;
    for (const auto id : tokenizer.encode(text)) parts.push_back(model.tokens[static_cast<std::size_t>(id)]);
    EXPECT_EQ(parts, slow(text)) << text;
  }
}

TEST(Tokenizer, LongWordsTakeNearlyLinearTime) {  // 1 MB without a boundary: quadratic merging would not end
  const Tokenizer tokenizer(small_model("whole"));
  const std::string text(1 << 20, 'a');
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(Tokenizer, ThreadsAgree) {
  const Tokenizer tokenizer(small_model("smollm"));
  const Json expected = golden("small_smollm.json").at("ids");
  const std::vector<std::string> all = texts();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(Json(tokenizer.encode(all[i], true)), expected[i]);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(Tokenizer, BosAndEosAreAddedWhereTheModelAsks) {
  TokenizerModel model = small_model("gpt-2");
  model.bos = 1;
  model.eos = 2;
  const auto plain = Tokenizer(model).encode("a b");
  EXPECT_EQ(Tokenizer(model).encode_with_special("a b"), plain);
  model.add_bos = model.add_eos = true;
  const Tokenizer tokenizer(model);
  auto expected = plain;
  expected.insert(expected.begin(), 1);
  expected.push_back(2);
  EXPECT_EQ(tokenizer.encode_with_special("a b"), expected);
  EXPECT_EQ(tokenizer.decode(expected), "a b");
  EXPECT_EQ(tokenizer.decode(expected, false), "<|im_start|>a b<|im_end|>");
  // The two reach a written tokenizer.json by its post-processor, and come back from there.
  const TokenizerModel again = Tokenizer::parse_json(tokenizer.to_json(), tokenizer.config_json("{{ x }}"));
  EXPECT_TRUE(again.add_bos && again.add_eos);
  EXPECT_EQ(again.bos, 1);
  EXPECT_EQ(again.eos, 2);
  EXPECT_EQ(tokenizer.config_json("{{ x }}").at("chat_template"), "{{ x }}");
}

TEST(Tokenizer, PiecesAreTheBytesOfTheTokens) {
  const Tokenizer tokenizer(small_model("gpt-2"));
  for (const std::string& text : texts()) {
    std::string joined;
    const auto ids = tokenizer.encode(text);
    for (const auto id : ids) joined += tokenizer.piece(id);
    EXPECT_EQ(joined, tokenizer.decode(ids, false));
  }
  EXPECT_EQ(tokenizer.piece(-1), "");
  EXPECT_EQ(tokenizer.piece(1 << 30), "");
}

TEST(Tokenizer, ByteAlphabetIsABijection) {
  for (int b = 0; b < 256; ++b) {
    const std::string byte(1, static_cast<char>(b));
    EXPECT_EQ(letters_to_bytes(bytes_to_letters(byte)), byte);
  }
  EXPECT_EQ(bytes_to_letters(" \n!"), "ĠĊ!");
  EXPECT_EQ(letters_to_bytes("日"), std::nullopt);
  EXPECT_EQ(letters_to_bytes("\xff"), std::nullopt);
}

// What is refused, and a part of the message that must name the reason.
void expect_refused(const std::function<void(Json&)>& change, const std::string& reason, const Json& config = nullptr) {
  Json json = small_json(golden("small_gpt-2.json"));
  change(json);
  try {
    Tokenizer tokenizer(Tokenizer::parse_json(json, config));
    ADD_FAILURE() << "accepted, expected: " << reason;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
    EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    EXPECT_FALSE(error.fix().empty());
  }
}

TEST(TokenizerJson, RefusesWhatItDoesNotSupportByName) {
  expect_refused([](Json& j) { j["model"]["type"] = "Unigram"; }, "'Unigram'");
  expect_refused([](Json& j) { j["model"]["byte_fallback"] = true; }, "byte_fallback");
  expect_refused([](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }, "end_of_word_suffix");
  expect_refused([](Json& j) { j["model"]["dropout"] = 0.1; }, "dropout");
  expect_refused([](Json& j) { j["normalizer"] = {{"type", "Lowercase"}}; }, "'Lowercase'");
  expect_refused([](Json& j) { j["pre_tokenizer"] = nullptr; }, "ByteLevel");
  expect_refused([](Json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }, "add_prefix_space");
  expect_refused([](Json& j) { j["pre_tokenizer"] = {{"type", "Metaspace"}}; }, "ByteLevel");
  expect_refused([](Json& j) { j["post_processor"] = {{"type", "BertProcessing"}}; }, "'BertProcessing'");
  expect_refused([](Json& j) { j["added_tokens"][0]["single_word"] = true; }, "single_word");
  const auto split = [](const std::string& behavior, const std::string& regex) {
    return [=](Json& j) {
      const Json byte_level = j["pre_tokenizer"];
      j["pre_tokenizer"] = {
          {"type", "Sequence"},
          {"pretokenizers",
           {{{"type", "Split"}, {"behavior", behavior}, {"pattern", {{"Regex", regex}}}}, byte_level}}};
    };
  };
  expect_refused(split("Removed", "a"), "'Removed'");
  expect_refused(split("Isolated", "(a"), "does not compile");
  expect_refused(split("Isolated", std::string(5000, 'a')), "longer than");
  expect_refused(split("Isolated", R"(\C)"), "does not compile");
}

TEST(TokenizerJson, RefusesHostileFiles) {
  expect_refused([](Json& j) { j = Json::array(); }, "object");
  expect_refused([](Json& j) { j["model"]["merges"] = Json::array(); }, "no merges");
  expect_refused([](Json& j) { j["model"].erase("vocab"); }, "no vocabulary");
  expect_refused([](Json& j) { j["model"]["vocab"]["a"] = -5; }, "-5");
  expect_refused([](Json& j) { j["model"]["vocab"]["a"] = 1e300; }, "id 1e+300");
  expect_refused([](Json& j) { j["model"]["vocab"]["a"] = 18446744073709551615u; }, "18446744073709551615");
  expect_refused([](Json& j) { j["model"]["vocab"]["a"] = (1 << 24) - 1; }, "too few tokens");
  expect_refused([](Json& j) { j["model"]["vocab"]["a"] = j["model"]["vocab"]["b"]; }, "to 'a' and to 'b'");
  expect_refused([](Json& j) { j["model"]["vocab"].erase("a"); }, "needs token 'a'");
  expect_refused([](Json& j) { j["model"]["merges"][0] = "ab"; }, "'ab' is not a pair");
  expect_refused([](Json& j) { j["model"]["merges"][3] = 7; }, "merge 3");
  expect_refused([](Json& j) { j["model"]["merges"][3] = "zq qz"; }, "'zq qz'");
  expect_refused([](Json& j) { j["added_tokens"][0]["id"] = 300; }, "id 300");
  expect_refused([](Json& j) { j["added_tokens"][0]["content"] = 1; }, "without content");
  expect_refused([](Json& j) { j["added_tokens"] = 5; }, "added_tokens");
  expect_refused([](Json&) {}, "bos_token", {{"bos_token", "<nope>"}});
}

TEST(TokenizerJson, ReadsBothFormsOfMergesAndUnusedIds) {
  Json json = small_json(golden("small_gpt-2.json"));
  const Tokenizer first(Tokenizer::parse_json(json, nullptr));
  for (Json& merge : json["model"]["merges"]) {
    if (merge.is_array()) merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  json["model"]["vocab"]["Ġunused"] = 5000;
  const Tokenizer second(Tokenizer::parse_json_text(json.dump(), nullptr));
  EXPECT_EQ(first.model().merges, second.model().merges);
  EXPECT_EQ(second.size(), 5001);
  EXPECT_EQ(second.piece(5000), " unused");
  EXPECT_EQ(second.piece(4999), "");
}

TEST(TokenizerJson, NotJsonIsAnInputError) {
  EXPECT_THROW(Tokenizer::parse_json_text("{\"model\":", nullptr), Error);
  EXPECT_THROW(Tokenizer::parse_json_text(std::string(100000, '['), nullptr), Error);
}

TEST(Tokenizer, RefusesModelsThatAreNotWhole) {
  const auto refuse = [](auto change) {
    TokenizerModel model = small_model("gpt-2");
    change(model);
    EXPECT_THROW(Tokenizer{model}, Error);
  };
  refuse([](TokenizerModel& m) { m.pre = "bert"; });
  refuse([](TokenizerModel& m) { m.pre = "["; });
  refuse([](TokenizerModel& m) { m.pre = "[1]"; });
  refuse([](TokenizerModel& m) { m.eos = 100000; });
  refuse([](TokenizerModel& m) { m.bos = -2; });
  refuse([](TokenizerModel& m) { m.added[0].id = -1; });
  refuse([](TokenizerModel& m) { m.added[0].text = "other"; });
  refuse([](TokenizerModel& m) { m.tokens[10] = m.tokens[11]; });
  refuse([](TokenizerModel& m) { m.merges[0] = " "; });
}

TEST(Tokenizer, ABadPatternEndsWithAnErrorNotAHang) {  // exponential backtracking
  TokenizerModel model = small_model("gpt-2");
  model.pre = R"(["(a|aa)+$"])";
  EXPECT_THROW(Tokenizer(model).encode(std::string(64, 'a') + "c"), Error);
}

}  // namespace
}  // namespace frugal
