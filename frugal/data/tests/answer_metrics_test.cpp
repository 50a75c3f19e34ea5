// Scores of answers: worked by hand from the definitions, and their bounds on random texts.
#include "frugal/data/answer_metrics.h"

#include <gtest/gtest.h>

#include <random>

#include "frugal/base/error.h"

namespace frugal {
namespace {

TEST(AnswerMetrics, TheFinalNumberIsGsm8ks) {
  const auto is = [](const char* text, const char* number) {
    EXPECT_EQ(final_number(text).value_or("none"), number) << text;
  };
  is("He sold 48/2 = <<48/2=24>>24.\n#### 72", "72");
  is("#### 1,234,567", "1234567");
  is("####-5", "-5");
  is("#### $1,000.50.", "1000.50");
  is("####    7 apples", "7");
  is("#### 1\n#### 2", "1");
  is("#### none\n#### 3", "3");
  is("##### 4", "4");  // the regular expression of the reference finds it, too
  is("18", "none");
  is("#### ", "none");
  is("####", "none");
  is("#### -", "none");
  is("#### .,.", "none");
  is("", "none");
}

TEST(AnswerMetrics, MatchesAreWhatTheySay) {
  EXPECT_TRUE(score_answer(" yes\n", "yes", Match::exact).exact_match);
  EXPECT_FALSE(score_answer("Yes", "yes", Match::exact).exact_match);
  EXPECT_TRUE(score_answer("it is yes.", "yes ", Match::contains).exact_match);
  EXPECT_FALSE(score_answer("it is", "yes", Match::contains).exact_match);
  EXPECT_TRUE(score_answer("so 3 * 6 = 18\n#### 18.", "twice nine\n#### 18", Match::answer).exact_match);
  EXPECT_TRUE(score_answer("#### 1,800", "#### 1800", Match::answer).exact_match);
  EXPECT_FALSE(score_answer("18", "#### 18", Match::answer).exact_match);
  EXPECT_FALSE(score_answer("#### 18.0", "#### 18", Match::answer).exact_match);
  EXPECT_THROW(score_answer("#### 18", "18", Match::answer), Error);
  EXPECT_EQ(parse_match("answer"), Match::answer);
  EXPECT_THROW(parse_match("answers"), Error);
}

// SQuAD: articles and punctuation do not count, words do as often as they occur on both sides.
TEST(AnswerMetrics, TokenF1IsSquads) {
  EXPECT_DOUBLE_EQ(token_f1("The cat!", "a CAT"), 1);
  EXPECT_DOUBLE_EQ(token_f1("don't", "dont"), 1);
  EXPECT_DOUBLE_EQ(token_f1("x x y", "x z"), 2.0 * 1 / (3 + 2));
  EXPECT_DOUBLE_EQ(token_f1("x x", "x x x x"), 2.0 * 2 / (2 + 4));
  EXPECT_DOUBLE_EQ(token_f1("ÉCOLE", "école"), 1);
  EXPECT_DOUBLE_EQ(token_f1("", ""), 1);
  EXPECT_DOUBLE_EQ(token_f1("the", "a"), 1);
  EXPECT_DOUBLE_EQ(token_f1("x", ""), 0);
  EXPECT_DOUBLE_EQ(token_f1("x", "y"), 0);
}

// Lin 2004, example of section 3: the police kill the gunman has 3 of 4 words of the reference in order, the gunman
// kill police 2 of 4.
TEST(AnswerMetrics, RougeLIsTheLongestCommonSubsequence) {
  const char* reference = "police killed the gunman";
  EXPECT_DOUBLE_EQ(rouge_l("police kill the gunman", reference), 0.75);
  EXPECT_DOUBLE_EQ(rouge_l("the gunman kill police", reference), 0.5);
  EXPECT_DOUBLE_EQ(rouge_l("Police-killed THE gunman.", reference), 1);
  EXPECT_DOUBLE_EQ(rouge_l("a b c d e", "b d"), 2.0 * 2 / (5 + 2));
  EXPECT_DOUBLE_EQ(rouge_l("", "x"), 0);
  EXPECT_DOUBLE_EQ(rouge_l("x", ""), 0);
}

// Of any two texts: in [0, 1], the same the other way round, 1 of a text with itself; bytes that are no text are none.
TEST(AnswerMetrics, BoundsHoldForAnyBytes) {
  std::mt19937 random(3);
  const auto text = [&] {
    std::string out;
    const char* const pieces[] = {"a", "the ", "x", " ", "1", "\xff", "\xc3", "é", "####", ",", ".", "\n", "-"};
    for (unsigned i = random() % 12; i > 0; --i) out += pieces[random() % std::size(pieces)];
    return out;
  };
  for (int i = 0; i < 2000; ++i) {
    const std::string a = text(), b = text();
    for (const auto score : {token_f1, rouge_l}) {
      EXPECT_GE(score(a, b), 0);
      EXPECT_LE(score(a, b), 1);
      EXPECT_DOUBLE_EQ(score(a, b), score(b, a));
      EXPECT_TRUE(score(a, a) == 1 || score(a, a) == 0) << a;
    }
    EXPECT_EQ(token_f1(a, a), 1);
    EXPECT_TRUE(score_answer(a, a, Match::exact).exact_match);
    EXPECT_TRUE(score_answer(a, a, Match::contains).exact_match);
    final_number(a);
  }
}

}  // namespace
}  // namespace frugal
