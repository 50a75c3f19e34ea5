#include "frugal/verbs/common/inspect_teacher.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/base/validate.h"
#include "frugal/formats/tokenizer.h"
#include "frugal/plan/cuts.h"
#include "frugal/verbs/common/options.h"

namespace frugal {
namespace {

// Error(Exit::usage): a word of one is another of the other's.
void require_same_words(const std::string& path, const Tokenizer& teacher, const Tokenizer& student) {
  const auto &theirs = teacher.model().tokens, &ours = student.model().tokens;
  const auto differ = std::mismatch(theirs.begin(), theirs.end(), ours.begin(), ours.end());
  if (differ.first == theirs.end() && differ.second == ours.end()) return;
  const auto shown = [](const std::vector<std::string>& words, auto at) {
    return at == words.end() ? "none" : "'" + *at + "'";
  };
  throw Error(Exit::usage,
              "--teacher " + path + " has " + std::to_string(theirs.size()) + " words, the model " +
                  std::to_string(ours.size()) + ": word " + std::to_string(differ.first - theirs.begin()) + " is " +
                  shown(theirs, differ.first) + " and " + shown(ours, differ.second),
              "give a teacher with the model's own vocabulary");
}

}  // namespace

std::unique_ptr<ModelSource> open_teacher(const DistillConfig& config, const ModelSource& student) {
  require_model(config.teacher);
  auto teacher = ModelSource::open(config.teacher);
  require_same_words(config.teacher, *teacher->tokenizer(), *student.tokenizer());
  const ModelShape &theirs = teacher->shape(), &ours = student.shape();
  if (theirs.vocab != ours.vocab) {
    throw Error(Exit::usage,
                "--teacher " + config.teacher + " has " + std::to_string(theirs.vocab) +
                    " rows of the vocabulary, the model " + std::to_string(ours.vocab),
                "give a teacher with the model's own vocabulary");
  }
  if (config.hidden_weight > 0 && (theirs.layers.size() != ours.layers.size() || theirs.hidden != ours.hidden)) {
    throw Error(Exit::usage,
                "--hidden-weight is above 0, but the teacher has " + std::to_string(theirs.layers.size()) +
                    " layers of width " + std::to_string(theirs.hidden) + ", the model " +
                    std::to_string(ours.layers.size()) + " of " + std::to_string(ours.hidden),
                "--hidden-weight 0");
  }
  return teacher;
}

void add_teacher(const ModelSource& teacher, const DistillConfig& config, bool is_live, PlanRequest& request) {
  PlanRequest own = request;
  own.shape = teacher.shape();
  own.file_bytes = teacher.file_bytes();
  own.largest_tensor = 0;
  for (const auto& tensor : teacher.tensors()) own.largest_tensor = std::max(own.largest_tensor, tensor.bytes);
  own.memory = own.file_window = 0;  // its file is not streamed
  own.weights = parse_weight_type(config.teacher_weights);
  own.whole_head = own.all_tokens = true;
  own.evaluates = false;
  own.cached_tokens = 0;
  own.example_bytes = 0;
  own.beside = own.before = 0;
  const MethodPlan plan = plan_forward(own);
  std::uint64_t bytes = 0;
  for (const PlanPart& part : plan.parts) {
    // Those of the process are there already.
    if (part.purpose != "libtorch" && part.purpose != "code" && part.purpose != "tokenizer") bytes += part.bytes;
  }
  // The teacher's words of a forward and the queries for them; the layers' outputs in bf16.
  const std::uint64_t tokens = std::min<std::uint64_t>(
      tokens_of_step(request), static_cast<std::uint64_t>(std::max(kPackedTokens, request.length)));
  const auto k = static_cast<std::uint64_t>(config.teacher_words);
  constexpr std::uint64_t kQuery = 48;  // query, log-probability, weight, word; the teacher's own for a while
  request.beside = tokens * (k + 1) * kQuery;
  if (config.hidden_weight > 0)
    request.beside += tokens * static_cast<std::uint64_t>(own.shape.hidden) * 2 * own.shape.layers.size();
  if (is_live) {
    request.beside += bytes;
    request.beside_seconds = plan.seconds_per_step;
  } else {
    request.before = bytes;
  }
}

}  // namespace frugal
