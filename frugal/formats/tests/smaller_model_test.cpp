// A model with the rows of the tokens that are kept: written in both formats, and read back.
#include <gtest/gtest.h>

#include <cstring>

#include "frugal/formats/shrunk_model.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using namespace formats_tests;

class WithGeneration : public SmallModel {
 public:
  using SmallModel::SmallModel;
  Json generation_config() const override {
    return {{"eos_token_id", {259, 7, 258}}, {"pad_token_id", 260},
            {"decoder_start_token_id", 258}, {"temperature", 0.5},
            {"suppress_tokens", {3, 258}},   {"bad_words_ids", {{258, 3}}}};
  }
};

class SmallerModel : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Head, SmallerModel, testing::Bool(),
                         [](const auto& info) { return info.param ? "Tied" : "OfItsOwn"; });

TEST_P(SmallerModel, HasTheRowsOfItsTokensInBothFormats) {
  const TemporaryFolder folder;
  const auto base = std::make_shared<WithGeneration>(small_shape(GetParam()));
  const SmallerVocabulary vocabulary = smaller_vocabulary(*base->tokenizer(), {"he"});  // not ll and llo
  ASSERT_EQ(vocabulary.kept.size(), 259u);
  const auto small = with_vocabulary(base, vocabulary);
  EXPECT_EQ(small->shape().vocab, 259);
  const auto rows = [&](const ModelSource& model) { return rows_of(model); };
  export_hf_folder(*small, rows(*small), "f32", folder / "a", ignore_progress);
  export_gguf(*small, rows(*small), "f32", folder / "b.gguf", ignore_progress);
  const auto as_folder = ModelSource::open(folder / "a"), as_gguf = ModelSource::open(folder / "b.gguf");
  for (const ModelSource* model : {small.get(), as_folder.get(), as_gguf.get()}) {
    ASSERT_EQ(model->tensors().size(), base->tensors().size());
    for (std::size_t i = 0; i < model->tensors().size(); ++i) {
      const SourceTensor& tensor = model->tensors()[i];
      const auto ours = whole_tensor(*model, i), theirs = whole_tensor(*base, i);
      if (tensor.role != Role::embedding && tensor.role != Role::head) {
        EXPECT_EQ(ours, theirs) << tensor.name;
        continue;
      }
      ASSERT_EQ(tensor.rows, 259);
      for (std::size_t r = 0; r < vocabulary.kept.size(); ++r) {
        EXPECT_EQ(std::memcmp(ours.data() + r * 64, theirs.data() + vocabulary.kept[r] * 64, 64 * sizeof(float)), 0)
            << tensor.name << " row " << r;
      }
    }
    const auto tokenizer = model->tokenizer();
    EXPECT_EQ(tokenizer->to_json().dump(), Tokenizer(vocabulary.tokenizer).to_json().dump());
    EXPECT_EQ(tokenizer->model().eos, 257);
    EXPECT_EQ(model->chat_template(), base->chat_template());
  }
  for (const ModelSource* model : {small.get(), as_folder.get()}) {
    EXPECT_EQ(model->generation_config().at("eos_token_id"), Json({257, 7}));
    EXPECT_EQ(model->generation_config().at("pad_token_id"), 258);
    EXPECT_EQ(model->generation_config().at("suppress_tokens"), Json({3}));
    EXPECT_EQ(model->generation_config().at("temperature"), 0.5);
    EXPECT_FALSE(model->generation_config().contains("decoder_start_token_id"));
    EXPECT_FALSE(model->generation_config().contains("bad_words_ids"));
  }
  EXPECT_EQ(as_gguf->generation_config().at("eos_token_id"), 257);
}

TEST(SmallerModel, ATokenWithoutARowIsRefused) {
  ModelShape shape = small_shape(true);
  shape.vocab = 260;  // the tokenizer has 261 tokens
  const auto base = std::make_shared<SmallModel>(shape);
  EXPECT_EQ(error_of([&] { with_vocabulary(base, smaller_vocabulary(*base->tokenizer(), {"he"})); }),
            "the token '<tool>' has the id 260, but the model has 260 rows");
}

// Words and units go together.
TEST(SmallerModel, LosesUnitsToo) {
  const auto base = std::make_shared<SmallModel>(small_shape(false));
  const SmallerVocabulary vocabulary = smaller_vocabulary(*base->tokenizer(), {"he"});
  KeptUnits few = all_units(base->shape().layers[0]);
  few.neurons = {3, 4};
  const auto small = open_shrunk(with_vocabulary(base, vocabulary), {few, all_units(base->shape().layers[1])});
  EXPECT_EQ(small->shape().vocab, 259);
  EXPECT_EQ(small->shape().layers[0].ffn, 2);
  const auto rows = whole_tensor(*small, 0), theirs = whole_tensor(*base, 0);
  EXPECT_EQ(std::memcmp(rows.data() + 258 * 64, theirs.data() + 260 * 64, 64 * sizeof(float)), 0);
  EXPECT_EQ(small->tokenizer()->size(), 259);
}

}  // namespace
}  // namespace frugal
