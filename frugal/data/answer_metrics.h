// How a written answer is scored against the one in the data.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "frugal/base/config.h"

namespace frugal {

// What exact_match asks of an answer:
//   exact     the text of the reference, white space around both left out ("exact_match" of Hugging Face evaluate);
//   answer    the number after "####", as GSM8K is scored (openai/grade-school-math, grade_school_math/dataset.py;
//             lm-evaluation-harness, gsm8k, strict-match);
//   contains  the reference somewhere in it.
enum class Match { exact, answer, contains };
Match parse_match(std::string_view name);  // Error(Exit::usage)

struct AnswerConfig {
  std::string match = "exact";
  std::int64_t max_new_tokens = 256;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "match",
       .help =
           "what exact_match asks of a generated answer: the reference's text, its number after ####, or to contain "
           "it",
       .group = "generation",
       .choices = {"exact", "answer", "contains"}},
      c.match);
    v({.name = "max_new_tokens", .help = "the longest generated answer in tokens, >= 1", .group = "generation"},
      c.max_new_tokens);
  }
};

inline constexpr std::int64_t kAnswersTogether = 16;  // answers that are generated at once beside a run

// Whether the model must write answers for a metric of this name: exact_match, f1 or rougeL.
bool needs_answers(std::string_view metric);

// The number behind the first "####" that one follows, without commas, a dollar sign, spaces before it and a full stop
// after it. Text, not a value: "18" and "18.0" differ, as in the reference. None: no such number.
std::optional<std::string> final_number(std::string_view text);

// Of tokens as SQuAD is scored (arXiv:1606.05250, evaluate-v2.0.py): lower case, no punctuation, no a, an and the; the
// harmonic mean of precision and recall over the bag of words. Without words on a side: 1 when both have none, else 0.
double token_f1(std::string_view prediction, std::string_view reference);

// ROUGE-L (Lin 2004, aclanthology.org/W04-1013), F-measure with equal weights as in the package rouge_score without
// stemming: words are runs of [a-z0-9] in lower case, so text in other alphabets has none and scores 0.
double rouge_l(std::string_view prediction, std::string_view reference);

struct AnswerScores {
  bool exact_match = false;
  double f1 = 0, rouge_l = 0;
};
// Match::answer: Error(Exit::input) when the reference has no number after "####".
AnswerScores score_answer(std::string_view prediction, std::string_view reference, Match match);

std::string_view trimmed(std::string_view text);  // without white space around it

}  // namespace frugal
