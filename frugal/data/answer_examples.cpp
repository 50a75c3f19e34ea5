#include "frugal/data/answer_examples.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {

std::string answer_text(const std::vector<std::int32_t>& ids, const Tokenizer& tokenizer) {
  return std::string(trimmed(tokenizer.decode(ids, true)));
}

AnswerExamples answer_examples(const SequenceDataset& data, const Tokenizer& tokenizer, Match match) {
  if (data.format == DataFormat::text) {
    throw Error(Exit::usage, "answers are to be generated, but " + data.name + " is running text without any",
                "give prompts with completions, or chats");
  }
  AnswerExamples examples;
  for (const Sequence& sequence : data.sequences) {
    std::size_t end = sequence.tokens.size();
    while (sequence.is_target[end - 1] == 0) --end;  // every sequence has a target, and its first token is none
    std::size_t begin = end;
    while (sequence.is_target[begin - 1] != 0) --begin;
    const auto at = [&](std::size_t t) { return sequence.tokens.begin() + static_cast<std::ptrdiff_t>(t); };
    const std::int32_t last = sequence.tokens[end - 1];
    auto& stops = examples.stop_tokens;
    if (tokenizer.decode({last}, true).empty() && std::find(stops.begin(), stops.end(), last) == stops.end())
      stops.push_back(last);
    examples.prompts.emplace_back(sequence.tokens.begin(), at(begin));
    WrittenAnswer answer{
        tokenizer.decode(examples.prompts.back(), true), answer_text({at(begin), at(end)}, tokenizer), {}, {}};
    try {
      score_answer("", answer.reference, match);
    } catch (const Error& error) {
      throw Error(error.code(), data.name + " record " + std::to_string(sequence.row + 1) + ": " + error.what(),
                  error.fix());
    }
    examples.answers.push_back(std::move(answer));
  }
  return examples;
}

}  // namespace frugal
