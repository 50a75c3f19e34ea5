// Answers made together are those made alone, by a cache or by running the whole text again.
#include "frugal/nn/generate/generate_many.h"

#include <gtest/gtest.h>

#include <limits>

#include "frugal/base/error.h"
#include "frugal/base/philox.h"
#include "frugal/nn/generate/generate.h"
#include "frugal/nn/model/decoder.h"

namespace frugal {
namespace {

struct Model {
  explicit Model(int threads = 2)
      : team(threads, single_threaded_torch),
        source(ModelSource::open(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/tied")),
        store(source, WeightType::f32, team),
        view(store),
        decoder(store.shape(), team, Compute::f32) {
    PhiloxSequence random(11, Stream::initial);
    for (std::size_t i = 0; i < 14; ++i) {
      for (std::size_t t = 0; t < 1 + (5 * i) % 17; ++t) {
        if (prompts.size() == i) prompts.emplace_back();
        prompts[i].push_back(static_cast<std::int32_t>(random.below(61)));
      }
    }
  }
  // The likeliest continuation, the whole text anew for every token.
  std::vector<std::int32_t> plainly(std::vector<std::int32_t> ids, std::int64_t count, std::int32_t stop) {
    std::vector<std::int32_t> answer;
    for (std::int64_t i = 0; i < count && static_cast<std::int64_t>(ids.size()) <= store.shape().context; ++i) {
      PackedBatch batch;
      batch.append(ids);
      const auto logits = decoder.forward(view, batch)->logits(batch.size() - 1);
      ids.push_back(static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
      if (ids.back() == stop) break;
      answer.push_back(ids.back());
    }
    return answer;
  }

  Threads team;
  std::shared_ptr<const ModelSource> source;
  WeightStore store;
  BaseView view;
  Decoder decoder;
  std::vector<std::vector<std::int32_t>> prompts;
};

TEST(GenerateMany, TogetherIsAsAlone) {
  Model m, one(1);
  // A stop token that ends some answers early and not all.
  const auto free = m.plainly(m.prompts[0], 12, -1);
  const std::int32_t stop = free[4];
  std::vector<std::vector<std::int32_t>> expected;
  std::size_t shortest = 12, longest = 0, tokens = 0;
  for (const auto& prompt : m.prompts) {
    expected.push_back(m.plainly(prompt, 12, stop));
    shortest = std::min(shortest, expected.back().size());
    longest = std::max(longest, expected.back().size());
    tokens += expected.back().size();
  }
  ASSERT_LT(shortest, longest);
  for (const std::int64_t together : {1, 2, 5, 9, 40}) {
    std::size_t ended = 0, made = 0;
    const ManyOptions options{.max_new_tokens = 12, .together = together, .packed_tokens = 20, .stop_tokens = {stop}};
    const auto count = [&](std::size_t done, std::size_t so_far) {
      EXPECT_GE(done, ended);
      ended = done, made = so_far;
    };
    EXPECT_EQ(generate_many(m.decoder, m.view, m.prompts, options, count), expected) << together;
    EXPECT_EQ(ended, m.prompts.size());
    EXPECT_EQ(made, tokens);
    EXPECT_EQ(generate_many(one.decoder, one.view, one.prompts, options), expected) << "one thread";
  }
}

TEST(GenerateMany, ContinuationsAreThoseOfTheirSeeds) {
  Model m;
  const std::vector<std::vector<std::int32_t>> prompts(m.prompts.begin(), m.prompts.begin() + 3);
  ManyOptions options{.sampling = {.temperature = 1.5, .top_k = 20, .seed = 5}, .max_new_tokens = 9};
  std::vector<std::vector<std::int32_t>> expected(12);
  for (std::uint64_t i = 0; i < 4; ++i) {
    options.sampling.seed = 5 + i;
    const auto alone = generate_many(m.decoder, m.view, prompts, options);
    for (std::size_t p = 0; p < prompts.size(); ++p) expected[4 * p + i] = alone[p];
  }
  EXPECT_NE(expected[0], expected[1]);
  options.sampling.seed = 5;
  options.continuations = 4;
  for (const std::int64_t together : {1, 3, 20}) {
    options.together = together;
    EXPECT_EQ(generate_many(m.decoder, m.view, prompts, options), expected) << together;
  }
}

TEST(GenerateMany, EndsWithTheContextAndRefusesALongerPrompt) {
  Model m;
  const std::int64_t context = m.store.shape().context;
  const std::vector<std::vector<std::int32_t>> prompts = {
      std::vector<std::int32_t>(static_cast<std::size_t>(context - 3), 5), {7}};
  const auto answers = generate_many(m.decoder, m.view, prompts, {.max_new_tokens = 6});
  EXPECT_EQ(answers[0].size(), 4u);  // the last token is not run any more
  EXPECT_EQ(answers[1].size(), 6u);
  const std::vector<std::vector<std::int32_t>> longer = {
      std::vector<std::int32_t>(static_cast<std::size_t>(context + 1), 5)};
  EXPECT_THROW(generate_many(m.decoder, m.view, longer, {}), Error);
}

TEST(GenerateMany, ACallbackThatThrowsStopsIt) {
  Model m;
  EXPECT_THROW(generate_many(m.decoder, m.view, m.prompts, {},
                             [](std::size_t, std::size_t made) {
                               if (made > 20) throw Error(Exit::interrupted, "interrupted", "");
                             }),
               Error);
}

TEST(GenerateMany, MoreTokensThanAnyContextEndAtTheContext) {
  Model m;
  ManyOptions options;
  options.max_new_tokens = m.store.shape().context;
  const auto expected = generate_many(m.decoder, m.view, m.prompts, options);
  options.max_new_tokens = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(generate_many(m.decoder, m.view, m.prompts, options), expected);
}

}  // namespace
}  // namespace frugal
