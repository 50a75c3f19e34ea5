#include "frugal/data/answer_metrics.h"

#include <utf8proc.h>

#include <algorithm>
#include <map>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/base/settings.h"

namespace frugal {
namespace {

constexpr std::string_view kSpace = " \t\r\n\f\v";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Lower case, character by character; bytes that are no UTF-8 stay.
std::string lower(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t code = 0;
    const auto* from = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at);
    const auto taken =
        utf8proc_iterate(from, static_cast<utf8proc_ssize_t>(std::min<std::size_t>(text.size() - at, 4)), &code);
    if (taken <= 0) {
      out += text[at++];
      continue;
    }
    utf8proc_uint8_t bytes[4];
    const auto size = utf8proc_encode_char(utf8proc_tolower(code), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    at += static_cast<std::size_t>(taken);
  }
  return out;
}

template <class IsInside>
std::vector<std::string> words(std::string_view text, const IsInside& is_inside) {
  std::vector<std::string> found;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_inside(text[end])) ++end;
    if (end > at) found.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return found;
}

std::vector<std::string> squad_words(std::string_view text) {
  std::string clean = lower(text);
  // Python's string.punctuation: it goes without a gap, so "don't" is "dont".
  std::erase_if(clean, [](char c) { return c > ' ' && c < '\x7f' && !is_digit(c) && !(c >= 'a' && c <= 'z'); });
  auto found = words(clean, [](char c) { return kSpace.find(c) == kSpace.npos; });
  std::erase_if(found, [](const std::string& word) { return word == "a" || word == "an" || word == "the"; });
  return found;
}

std::vector<std::string> rouge_words(std::string_view text) {
  return words(lower(text), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); });
}

double f_measure(std::size_t common, std::size_t predicted, std::size_t wanted) {
  return common == 0 ? 0 : 2.0 * static_cast<double>(common) / static_cast<double>(predicted + wanted);
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

Match parse_match(std::string_view name) {
  const std::vector<std::string> names = {"exact", "answer", "contains"};
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<Match>(found - names.begin());
  throw Error(Exit::usage, "--match is '" + std::string(name) + "'" + did_you_mean(name, names),
              "choose exact, answer or contains");
}

bool needs_answers(std::string_view metric) { return metric == "exact_match" || metric == "f1" || metric == "rougeL"; }

std::optional<std::string> final_number(std::string_view text) {
  constexpr std::string_view kMark = "####";
  for (std::size_t at = text.find(kMark); at != text.npos; at = text.find(kMark, at + 1)) {
    std::size_t from = text.find_first_not_of(" \t", at + kMark.size());
    if (from == text.npos) break;
    std::string number;
    if (text[from] == '-') number += text[from++];
    if (from < text.size() && text[from] == '$') ++from;
    for (; from < text.size() && (is_digit(text[from]) || text[from] == ',' || text[from] == '.'); ++from) {
      if (text[from] != ',') number += text[from];
    }
    while (number.ends_with('.')) number.pop_back();
    if (std::any_of(number.begin(), number.end(), is_digit)) return number;
  }
  return std::nullopt;
}

double token_f1(std::string_view prediction, std::string_view reference) {
  const auto predicted = squad_words(prediction), wanted = squad_words(reference);
  if (predicted.empty() || wanted.empty()) return predicted.empty() && wanted.empty() ? 1 : 0;
  std::map<std::string_view, std::size_t> left;
  for (const auto& word : wanted) ++left[word];
  std::size_t common = 0;
  for (const auto& word : predicted) {
    const auto found = left.find(word);
    if (found == left.end() || found->second == 0) continue;
    --found->second;
    ++common;
  }
  return f_measure(common, predicted.size(), wanted.size());
}

double rouge_l(std::string_view prediction, std::string_view reference) {
  const auto predicted = rouge_words(prediction), wanted = rouge_words(reference);
  // longest[j]: of the longest common subsequence of the words so far and the first j wanted.
  std::vector<std::size_t> longest(wanted.size() + 1, 0);
  for (const auto& word : predicted) {
    std::size_t before = 0;  // longest[j - 1] of the row above
    for (std::size_t j = 1; j <= wanted.size(); ++j) {
      const std::size_t above = longest[j];
      longest[j] = word == wanted[j - 1] ? before + 1 : std::max(above, longest[j - 1]);
      before = above;
    }
  }
  return f_measure(longest.back(), predicted.size(), wanted.size());
}

AnswerScores score_answer(std::string_view prediction, std::string_view reference, Match match) {
  AnswerScores scores{false, token_f1(prediction, reference), rouge_l(prediction, reference)};
  const std::string_view found = trimmed(prediction), wanted = trimmed(reference);
  switch (match) {
    case Match::exact:
      scores.exact_match = found == wanted;
      break;
    case Match::contains:
      scores.exact_match = found.find(wanted) != found.npos;
      break;
    case Match::answer: {
      const auto number = final_number(wanted);
      if (!number) {
        std::string shown(wanted.substr(0, 80));
        throw Error(Exit::input, "--match answer: the reference '" + shown + "' has no number after ####",
                    "--match exact or contains, or end every answer in the data with '#### NUMBER'");
      }
      scores.exact_match = final_number(found) == number;
      break;
    }
  }
  return scores;
}

}  // namespace frugal
