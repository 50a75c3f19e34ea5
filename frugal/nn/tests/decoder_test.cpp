// The decoder against transformers (golden), and against itself: packing, threads, branches of answers, caches, narrow
// path.
#include "frugal/nn/model/decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "frugal/base/error.h"
#include "frugal/base/json.h"

namespace frugal {
namespace {

struct Model {
  explicit Model(const std::string& name, int threads = 2, Compute compute = Compute::f32,
                 WeightType type = WeightType::f32)
      : team(threads, single_threaded_torch),
        source(ModelSource::open(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/" + name)),
        store(source, type, team),
        view(store),
        decoder(store.shape(), team, compute) {
    std::ifstream in(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/" + name + "/logits.json");
    golden = Json::parse(in);
  }
  std::vector<std::int32_t> sequence(std::size_t i) const {
    return golden["sequences"][i].get<std::vector<std::int32_t>>();
  }

  // So long that its attention is cut by heads.
  std::vector<std::int32_t> long_sequence() const {
    std::vector<std::int32_t> all = sequence(3);
    while (all.size() < 300) all.push_back((all[all.size() - 7] * 5 + 3) % 60);
    return all;
  }

  Threads team;
  std::shared_ptr<const ModelSource> source;
  WeightStore store;
  BaseView view;
  Decoder decoder;
  Json golden;
};

class Golden : public testing::TestWithParam<const char*> {};

// fp32 sums of at most 40 terms through two layers: transformers and we agree to 1e-4.
TEST_P(Golden, LogitsAgreeWithTransformers) {
  Model m(GetParam());
  PackedBatch batch;
  for (std::size_t i = 0; i < m.golden["sequences"].size(); ++i) batch.append(m.sequence(i));
  const auto pass = m.decoder.forward(m.view, batch);
  for (std::size_t i = 0; i < batch.segments.size(); ++i) {
    const Segment& s = batch.segments[i];
    const auto logits = pass->logits(s.begin + s.length - 1);
    for (std::size_t v = 0; v < logits.size(); ++v)
      EXPECT_NEAR(logits[v], m.golden["last"][i][v].get<double>(), 1e-4) << i << " " << v;
    std::vector<Pass::Query> queries;
    for (std::int64_t t = 0; t + 1 < s.length; ++t) queries.push_back({s.begin + t, batch.tokens[s.begin + t + 1]});
    if (queries.empty()) continue;
    const auto found = pass->log_probabilities(queries);
    for (std::size_t t = 0; t < found.size(); ++t)
      EXPECT_NEAR(found[t], m.golden["next"][i][t].get<double>(), 1e-4) << i << " " << t;
  }
}

// bf16 products: 8 bits of mantissa, sums of up to 40 terms of size about 1 through two layers.
TEST_P(Golden, Bf16ComputeStaysWithinItsRounding) {
  Model m(GetParam(), 2, Compute::bf16, WeightType::bf16);
  PackedBatch batch;
  batch.append(m.sequence(3));
  const auto pass = m.decoder.forward(m.view, batch);
  const auto logits = pass->logits(batch.size() - 1);
  double error = 0, norm = 0;
  for (std::size_t v = 0; v < logits.size(); ++v) {
    const double golden = m.golden["last"][3][v];
    error += (logits[v] - golden) * (logits[v] - golden);
    norm += golden * golden;
  }
  EXPECT_LT(std::sqrt(error / norm), 0.03);
  EXPECT_GT(std::sqrt(error / norm), 1e-5);  // it did compute in bf16
}

TEST_P(Golden, ThreadsAndPackingDoNotChangeBits) {
  Model one(GetParam(), 1), four(GetParam(), 4);
  PackedBatch batch;
  for (int repeat = 0; repeat < 9; ++repeat) batch.append(one.sequence(3));
  batch.append(one.long_sequence());
  const auto of_one = one.decoder.forward(one.view, batch), of_four = four.decoder.forward(four.view, batch);
  const Hidden &a = of_one->hidden(), &b = of_four->hidden();
  for (std::int64_t i = 0; i < a.tokens * a.width; ++i) ASSERT_EQ(a.at(0)[i], b.at(0)[i]) << i;
}

// Earlier tokens do not know how long the sequence is, and its neighbours in the batch not either.
TEST_P(Golden, ALongSequenceBeginsAsItsBeginningAlone) {
  for (const Compute compute : {Compute::f32, Compute::bf16}) {
    Model m(GetParam(), 2, compute);
    PackedBatch alone, together;
    alone.append(m.sequence(3));
    together.append(m.sequence(1));
    together.append(m.long_sequence());
    const auto first = m.decoder.forward(m.view, alone), second = m.decoder.forward(m.view, together);
    const Hidden &a = first->hidden(), &b = second->hidden();
    const std::vector<float> expected(a.at(0), a.at(0) + a.tokens * a.width);
    const float* found = b.at(0) + together.segments[1].begin * b.width;
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(found[i], expected[i], compute == Compute::f32 ? 1e-5 : 0.02) << i;
  }
}

TEST_P(Golden, CandidateLogitsAreRowsOfTheLogits) {
  Model m(GetParam());
  PackedBatch batch;
  batch.append(m.sequence(2));
  const auto pass = m.decoder.forward(m.view, batch);
  const std::vector<std::int32_t> candidates = {60, 3, 17};
  const std::vector<std::int64_t> rows = {4, 16};
  const auto some = pass->candidate_logits(rows, candidates);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto all = pass->logits(rows[r]);
    for (std::size_t c = 0; c < candidates.size(); ++c)
      EXPECT_NEAR(some[r * 3 + c], all[static_cast<std::size_t>(candidates[c])], 1e-5);
  }
}

// One prompt with two continuations gives what two whole sequences give.
TEST_P(Golden, ContinuationsSeeTheirParent) {
  Model m(GetParam());
  for (const auto& prompt : {m.sequence(2), m.long_sequence()}) {
    const std::vector<std::int32_t> answers[] = {{9, 4, 33}, {50}};
    PackedBatch branched, whole;
    branched.append(m.sequence(1));
    const std::int64_t parent = branched.append(prompt);
    for (const auto& answer : answers) {
      branched.append(answer, parent);
      auto full = prompt;
      full.insert(full.end(), answer.begin(), answer.end());
      whole.append(full);
    }
    std::vector<std::vector<float>> expected;
    const auto of_whole = m.decoder.forward(m.view, whole), pass = m.decoder.forward(m.view, branched);
    for (const Segment& s : whole.segments) expected.push_back(of_whole->logits(s.begin + s.length - 1));
    for (std::size_t i = 0; i < 2; ++i) {
      const Segment& s = branched.segments[2 + i];
      const auto logits = pass->logits(s.begin + s.length - 1);
      for (std::size_t v = 0; v < logits.size(); ++v) EXPECT_NEAR(logits[v], expected[i][v], 1e-4);
    }
  }
}

// A prompt taken in two pieces, then token by token (the narrow path), gives the logits of one forward.
TEST_P(Golden, CacheAndNarrowPathAgreeWithOneForward) {
  for (const WeightType type : {WeightType::f32, WeightType::bf16, WeightType::stored}) {
    Model m(GetParam(), 2, Compute::f32, type);
    const auto ids = m.long_sequence();
    PackedBatch all;
    all.append(ids);
    const auto expected = m.decoder.forward(m.view, all)->logits(all.size() - 1);
    KvCache cache(m.store.shape(), 300, Compute::f32);
    std::size_t at = 0;
    std::vector<float> logits;
    for (const std::size_t length : {270u, 22u, 3u, 1u, 1u, 1u, 1u, 1u}) {
      PackedBatch piece;
      piece.append(std::span(ids).subspan(at, length));
      logits = m.decoder.forward(m.view, piece, cache)->logits(piece.size() - 1);
      at += length;
    }
    ASSERT_EQ(at, ids.size());
    for (std::size_t v = 0; v < logits.size(); ++v) EXPECT_NEAR(logits[v], expected[v], 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, Golden, testing::Values("tied", "biased", "llama3", "unequal"));

TEST(Decoder, NamesATokenOutsideTheVocabulary) {
  Model m("tied");
  PackedBatch batch;
  batch.append(std::vector<std::int32_t>{61});
  EXPECT_THROW(m.decoder.forward(m.view, batch), Error);
}

}  // namespace
}  // namespace frugal
