#include "frugal/nn/generate/generate_many.h"

#include <algorithm>
#include <optional>
#include <string>

#include "frugal/base/error.h"

namespace frugal {
namespace {

struct Running {
  std::size_t answer;
  KvCache cache;
  PhiloxSequence random;
  std::int32_t last = 0;  // token the cache does not hold yet; -1: the answer has ended
};

class Generation {
 public:
  Generation(Model& model, const WeightView& view, std::span<const std::vector<std::int32_t>> prompts,
             const ManyOptions& options)
      : answers(prompts.size() * static_cast<std::size_t>(options.continuations)),
        model_(model),
        view_(view),
        prompts_(prompts),
        options_(options) {}

  std::vector<std::vector<std::int32_t>> answers;
  std::size_t ended = 0, made = 0;
  bool is_done() const { return ended == answers.size(); }

  // Prompts in the free places, as many as go through one forward; false: there is none.
  bool admit() {
    if (options_.continuations > 1) return admit_continuation();
    const std::size_t before = running_.size();
    PackedBatch batch;
    while (next_ < answers.size() && has_place()) {
      const auto length = static_cast<std::int64_t>(prompts_[next_].size());
      if (batch.size() > 0 && batch.size() + length > options_.packed_tokens) break;
      KvCache cache = empty_cache(next_);
      batch.append(prompts_[next_]);
      begin(std::move(cache));
    }
    if (running_.size() == before) return false;
    advance(batch, std::span(running_).subspan(before));
    return true;
  }

  // One token more of every answer.
  void step() {
    PackedBatch batch;
    for (const Running& each : running_) batch.append(std::span(&each.last, 1));
    advance(batch, running_);
  }

 private:
  struct Prefix {  // what a prompt with several continuations left
    std::size_t prompt;
    KvCache cache;
    std::vector<float> logits;
  };

  bool has_place() const { return static_cast<std::int64_t>(running_.size()) < options_.together; }

  std::size_t prompt_of(std::size_t answer) const { return answer / static_cast<std::size_t>(options_.continuations); }

  KvCache empty_cache(std::size_t prompt) const {
    const auto length = static_cast<std::int64_t>(prompts_[prompt].size()), context = model_.shape().context;
    if (length > context) {
      throw Error(Exit::input,
                  "prompt " + std::to_string(prompt + 1) + " has " + std::to_string(length) +
                      " tokens but the context is " + std::to_string(context),
                  "shorten the prompt");
    }
    const std::int64_t most = options_.max_new_tokens > context - length ? context : length + options_.max_new_tokens;
    return {model_.shape(), most, model_.compute()};
  }

  Running& begin(KvCache cache) {
    const std::size_t prompt = prompt_of(next_);
    const std::uint64_t seed =
        options_.sampling.seed + (next_ - prompt * static_cast<std::size_t>(options_.continuations));
    return running_.emplace_back(
        Running{next_++, std::move(cache), PhiloxSequence(seed, Stream::sampling, static_cast<std::uint32_t>(prompt))});
  }

  bool admit_continuation() {
    if (next_ == answers.size() || !has_place()) return false;
    const std::size_t prompt = prompt_of(next_);
    if (!prefix_ || prefix_->prompt != prompt) {
      prefix_.reset();
      PackedBatch batch;
      batch.append(prompts_[prompt]);
      KvCache cache = empty_cache(prompt);
      std::vector<float> logits = model_.forward(view_, batch, cache)->logits(batch.size() - 1);
      prefix_.emplace(Prefix{prompt, std::move(cache), std::move(logits)});
    }
    Running& one = begin(prefix_->cache.copy());
    take(one, sample_token(prefix_->logits, options_.sampling, one.random));
    drop_ended();
    return true;
  }

  void advance(const PackedBatch& batch, std::span<Running> sequences) {
    std::vector<KvCache*> caches;
    std::vector<std::int64_t> rows;
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      caches.push_back(&sequences[s].cache);
      rows.push_back(batch.segments[s].begin + batch.segments[s].length - 1);
    }
    const auto pass = model_.forward(view_, batch, caches);
    if (options_.sampling.temperature <= 0) {
      const auto tokens = pass->likeliest(rows);
      for (std::size_t s = 0; s < sequences.size(); ++s) take(sequences[s], tokens[s]);
    } else {
      constexpr std::size_t kLogits = 8;  // rows of the whole vocabulary in memory at a time
      const auto vocab = static_cast<std::size_t>(model_.shape().vocab);
      for (std::size_t s = 0; s < sequences.size(); s += kLogits) {
        const auto some = std::span(rows).subspan(s, std::min(kLogits, rows.size() - s));
        const auto logits = pass->logits(some);
        for (std::size_t i = 0; i < some.size(); ++i) {
          Running& one = sequences[s + i];
          take(one, sample_token(std::span(logits).subspan(i * vocab, vocab), options_.sampling, one.random));
        }
      }
    }
    drop_ended();
  }

  void take(Running& sequence, std::int32_t token) {
    std::vector<std::int32_t>& answer = answers[sequence.answer];
    const auto& stops = options_.stop_tokens;
    const bool stops_here = std::find(stops.begin(), stops.end(), token) != stops.end();
    if (!stops_here) answer.push_back(token), ++made;
    const bool is_full = sequence.cache.length == sequence.cache.capacity() ||
                         static_cast<std::int64_t>(answer.size()) == options_.max_new_tokens;
    sequence.last = stops_here || is_full ? -1 : token;
    if (sequence.last >= 0) return;
    ++ended;
    if (options_.on_answer) options_.on_answer(sequence.answer, answer);
  }
  void drop_ended() {
    std::erase_if(running_, [](const Running& each) { return each.last < 0; });
  }

  Model& model_;
  const WeightView& view_;
  std::span<const std::vector<std::int32_t>> prompts_;
  const ManyOptions& options_;
  std::vector<Running> running_;
  std::optional<Prefix> prefix_;
  std::size_t next_ = 0;  // answer to begin
};

}  // namespace

std::vector<std::vector<std::int32_t>> generate_many(
    Model& model, const WeightView& view, std::span<const std::vector<std::int32_t>> prompts,
    const ManyOptions& options, const std::function<void(std::size_t, std::size_t)>& after_forward) {
  Generation all(model, view, prompts, options);
  while (!all.is_done()) {
    if (!all.admit()) all.step();
    if (after_forward) after_forward(all.ended, all.made);
  }
  return std::move(all.answers);
}

}  // namespace frugal
