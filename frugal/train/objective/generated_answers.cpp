#include "frugal/train/objective/generated_answers.h"

#include "frugal/base/interrupt.h"
#include "frugal/base/progress.h"

namespace frugal {

GeneratedAnswers::GeneratedAnswers(Model& model, const Tokenizer& tokenizer, const SequenceDataset& data, Match match,
                                   ManyOptions generation)
    : SequenceLoss(model, data.sequences),
      model_(model),
      tokenizer_(tokenizer),
      match_(match),
      generation_(std::move(generation)),
      examples_(answer_examples(data, tokenizer, match)) {
  auto& stops = generation_.stop_tokens;
  stops.insert(stops.end(), examples_.stop_tokens.begin(), examples_.stop_tokens.end());
}

Json GeneratedAnswers::evaluate(const WeightView& view, const std::string& what) {
  Json result = SequenceLoss::evaluate(view, what);
  Progress progress(examples_.prompts.size(), "answers");
  std::size_t new_tokens = 0;
  const auto found =
      generate_many(model_, view, examples_.prompts, generation_, [&](std::size_t ended, std::size_t made) {
        throw_if_interrupted();
        guard();
        new_tokens = made;
        progress.update(ended, std::to_string(made) + " tokens");
      });
  double exact = 0, f1 = 0, rouge = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    WrittenAnswer& answer = examples_.answers[i];
    answer.prediction = answer_text(found[i], tokenizer_);
    answer.scores = score_answer(answer.prediction, answer.reference, match_);
    exact += answer.scores.exact_match;
    f1 += answer.scores.f1;
    rouge += answer.scores.rouge_l;
  }
  const auto n = static_cast<double>(found.size());
  result["exact_match"] = exact / n;
  result["f1"] = f1 / n;
  result["rougeL"] = rouge / n;
  result["new_tokens"] = new_tokens;
  return result;
}

}  // namespace frugal
