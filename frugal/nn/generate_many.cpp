#include "frugal/nn/generate_many.h"

#include <algorithm>
#include <string>

#include "frugal/base/error.h"

namespace frugal {
namespace {

struct Running {
  std::size_t index;  // of the prompt
  KvCache cache;
  std::int32_t last = 0;  // token the cache does not hold yet
};

class Generation {
 public:
  Generation(Decoder& decoder, const WeightView& view, std::span<const std::vector<std::int32_t>> prompts,
             const GreedyOptions& options)
      : answers(prompts.size()), decoder_(decoder), view_(view), prompts_(prompts), options_(options) {}

  std::vector<std::vector<std::int32_t>> answers;
  std::size_t ended = 0, made = 0;
  bool is_done() const { return ended == prompts_.size(); }

  // Prompts in the free places, as many as go through one forward.
  bool admit() {
    const std::size_t before = running_.size();
    PackedBatch batch;
    while (next_ < prompts_.size() && static_cast<std::int64_t>(running_.size()) < options_.together) {
      const std::vector<std::int32_t>& prompt = prompts_[next_];
      const auto length = static_cast<std::int64_t>(prompt.size()), context = decoder_.shape().context;
      if (batch.size() > 0 && batch.size() + length > options_.packed_tokens) break;
      if (length > context) {
        throw Error(Exit::input,
                    "prompt " + std::to_string(next_ + 1) + " has " + std::to_string(length) +
                        " tokens but the context is " + std::to_string(context),
                    "shorten the prompt");
      }
      batch.append(prompt);
      const std::int64_t most = options_.max_new_tokens > context - length ? context : length + options_.max_new_tokens;
      running_.push_back({next_++, KvCache(decoder_.shape(), most, decoder_.compute())});
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
  void advance(const PackedBatch& batch, std::span<Running> sequences) {
    std::vector<KvCache*> caches;
    std::vector<std::int64_t> rows;
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      caches.push_back(&sequences[s].cache);
      rows.push_back(batch.segments[s].begin + batch.segments[s].length - 1);
    }
    decoder_.forward(view_, batch, caches);
    const auto tokens = decoder_.likeliest(view_, rows);
    for (std::size_t s = 0; s < sequences.size(); ++s) take(sequences[s], tokens[s]);
    std::erase_if(running_, [&](const Running& each) { return each.last < 0; });
  }

  void take(Running& sequence, std::int32_t token) {
    std::vector<std::int32_t>& answer = answers[sequence.index];
    const auto& stops = options_.stop_tokens;
    const bool stops_here = std::find(stops.begin(), stops.end(), token) != stops.end();
    if (!stops_here) answer.push_back(token), ++made;
    const bool is_full = sequence.cache.length == sequence.cache.capacity() ||
                         static_cast<std::int64_t>(answer.size()) == options_.max_new_tokens;
    sequence.last = stops_here || is_full ? -1 : token;
    ended += sequence.last < 0;
  }

  Decoder& decoder_;
  const WeightView& view_;
  std::span<const std::vector<std::int32_t>> prompts_;
  const GreedyOptions& options_;
  std::vector<Running> running_;
  std::size_t next_ = 0;  // prompt
};

}  // namespace

std::vector<std::vector<std::int32_t>> generate_greedy(
    Decoder& decoder, const WeightView& view, std::span<const std::vector<std::int32_t>> prompts,
    const GreedyOptions& options, const std::function<void(std::size_t, std::size_t)>& after_forward) {
  Generation all(decoder, view, prompts, options);
  while (!all.is_done()) {
    if (!all.admit()) all.step();
    if (after_forward) after_forward(all.ended, all.made);
  }
  return std::move(all.answers);
}

}  // namespace frugal
