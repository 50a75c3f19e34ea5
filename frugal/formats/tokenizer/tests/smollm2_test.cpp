// The tokenizer of a real GGUF file, against the reference implementation.
#include <gtest/gtest.h>

#include <filesystem>

#include "frugal/formats/model_source.h"
#include "frugal/formats/tokenizer/tests/golden_files.h"

namespace frugal {
namespace {

constexpr const char* kModel = FRUGAL_SOURCE_DIR "/build/models/SmolLM2-135M-Instruct.Q4_1.gguf";

TEST(SmolLM2, EncodesAsTheReference) {
  if (!std::filesystem::exists(kModel)) GTEST_SKIP() << kModel << " is not there; make test downloads it";
  const auto tokenizer = ModelSource::open(kModel)->tokenizer();
  EXPECT_EQ(tokenizer->model().pre, "smollm");
  EXPECT_EQ(tokenizer->size(), 49152);
  const Json reference = tokenizer_tests::golden("smollm2.json");
  tokenizer_tests::expect_encodes_as(*tokenizer, reference);
  const Tokenizer again(Tokenizer::parse_json_text(tokenizer->to_json().dump(), tokenizer->config_json("")));
  tokenizer_tests::expect_encodes_as(again, reference);
}

}  // namespace
}  // namespace frugal
