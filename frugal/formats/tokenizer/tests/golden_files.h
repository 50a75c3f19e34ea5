// Reference encodings written by scripts/make_tokenizer_golden.py.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json.h"
#include "frugal/formats/tokenizer.h"

namespace frugal::tokenizer_tests {

inline Json golden(const std::string& name) {
  return Json::parse(read_file(FRUGAL_SOURCE_DIR "/frugal/formats/tokenizer/tests/golden/" + name));
}

inline std::vector<std::string> texts() { return golden("texts.json").at("texts").get<std::vector<std::string>>(); }

// Compares with a golden file's "ids" (special tokens parsed) and "plain" (where not parsing them differs).
inline void expect_encodes_as(const Tokenizer& tokenizer, const Json& reference) {
  const std::vector<std::string> all = texts();
  ASSERT_EQ(all.size(), reference.at("ids").size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Json& with = reference.at("ids")[i];
    const auto plain = reference.at("plain").find(std::to_string(i));
    EXPECT_EQ(Json(tokenizer.encode(all[i], true)), with) << Json(all[i]).dump();
    EXPECT_EQ(Json(tokenizer.encode(all[i], false)), plain == reference.at("plain").end() ? with : *plain)
        << Json(all[i]).dump();
  }
}

}  // namespace frugal::tokenizer_tests
