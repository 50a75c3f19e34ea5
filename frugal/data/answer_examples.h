// Sequences as questions to a model: what it is given, and what it should write.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/data/answer_metrics.h"
#include "frugal/data/sequence_task.h"

namespace frugal {

struct WrittenAnswer {
  std::string prompt, reference;  // without special tokens; the reference without white space around it
  std::string prediction;         // likewise; empty until the model has written it
  AnswerScores scores;
};

struct AnswerExamples {
  std::vector<std::vector<std::int32_t>> prompts;  // token ids, none empty
  std::vector<WrittenAnswer> answers;
  std::vector<std::int32_t> stop_tokens;  // special tokens that end references
};

// A sequence's last run of targets is its reference, what stands before it the prompt: of a chat the last answer is
// asked for. Error(Exit::usage): running text, which has no answers. Error(Exit::input), with the record: a reference
// that Match::answer cannot judge.
AnswerExamples answer_examples(const SequenceDataset& data, const Tokenizer& tokenizer, Match match);

std::string answer_text(const std::vector<std::int32_t>& ids, const Tokenizer& tokenizer);  // as WrittenAnswer has it

}  // namespace frugal
