#include "frugal/formats/safetensors/model_card.h"

#include <gtest/gtest.h>

namespace frugal {
namespace {

TEST(ModelCard, TheLicenseComesBack) {
  EXPECT_EQ(card_license(make_card("apache-2.0")), "apache-2.0");
  EXPECT_EQ(card_license(make_card("mit\n---\nlicense: other")), "mit");
}

TEST(ModelCard, ReadsTheFirstBlockOnly) {
  EXPECT_EQ(card_license("---\r\nlanguage: en\r\nlicense: 'mit'\r\n---\r\n"), "mit");
  EXPECT_EQ(card_license("---\nlanguage: en\n---\nlicense: mit\n"), "");
  EXPECT_EQ(card_license("# A model\n---\nlicense: mit\n---\n"), "");
}

TEST(ModelCard, TakesAnyText) {
  for (const char* card : {"", "---", "---\n", "---\nlicense:", "---\nlicense:\n", "\n\n", "---\nlicense: ''\n---"}) {
    EXPECT_EQ(card_license(card), "") << card;
  }
}

}  // namespace
}  // namespace frugal
