// The backward against transformers' autograd (golden), and against itself: packing, checkpoints, threads, answers that
// branch.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "frugal/nn/tests/backward_model.h"
#include "frugal/base/error.h"

namespace frugal {
namespace {

using namespace backward_tests;

class GoldenGradients : public testing::TestWithParam<const char*> {};

// fp32 sums in another order than PyTorch's: relative 1e-4 of each tensor's norm.
TEST_P(GoldenGradients, AgreeWithTransformers) {
  SmallDecoder m(GetParam());
  std::ifstream in(m.folder + "/gradients.json");
  const Json golden = Json::parse(in);
  PackedBatch batch;
  for (const auto& s : m.sequences) batch.append(s);
  for (const bool keeps : {false, true}) {
    AllGradients found(m.store);
    EXPECT_NEAR(m.loss_and_gradients(m.view, batch, keeps, found), golden["loss"].get<double>(), 1e-5);
    for (std::size_t id = 0; id < m.store.size(); ++id) {
      const Json& expected = golden["tensors"][m.store.spec(id).name];
      const double size = expected["norm"].get<double>();
      double dot = 0;
      for (std::size_t i = 0; i < found[id].size(); ++i)
        dot += static_cast<double>(found[id][i]) * std::cos(static_cast<double>(i));
      EXPECT_NEAR(norm(found[id]), size, 1e-4 * size) << m.store.spec(id).name;
      EXPECT_NEAR(dot, expected["dot"].get<double>(), 1e-4 * size * std::sqrt(static_cast<double>(found[id].size())))
          << m.store.spec(id).name;
      for (std::size_t i = 0; i < expected["entries"].size(); ++i) {
        EXPECT_NEAR(found[id][97 * i], expected["entries"][i].get<double>(), 1e-4 * size)
            << m.store.spec(id).name << " " << 97 * i;
      }
    }
    std::vector<std::size_t> layers(m.store.shape().layers.size());
    std::iota(layers.rbegin(), layers.rend(), 0);
    EXPECT_EQ(found.done, layers);
  }
}

TEST_P(GoldenGradients, CheckpointsThreadsAndPackingDoNotChangeThem) {
  SmallDecoder one(GetParam(), 1), three(GetParam(), 3);
  PackedBatch batch;
  for (int repeat = 0; repeat < 5; ++repeat) batch.append(one.long_sequence());
  AllGradients a(one.store), b(three.store), c(one.store), d(one.store);
  one.loss_and_gradients(one.view, batch, false, a);
  three.loss_and_gradients(three.view, batch, true, b);
  PackedBatch single;
  single.append(one.long_sequence());
  one.loss_and_gradients(one.view, single, false, c);
  one.loss_and_gradients(one.view, batch, false, d);
  for (std::size_t id = 0; id < one.store.size(); ++id) {
    EXPECT_EQ(a[id], b[id]) << one.store.spec(id).name;
    EXPECT_EQ(a[id], d[id]) << "a second backward reuses scratch";
    EXPECT_LT(distance(a[id], c[id]), 1e-5 * norm(c[id])) << "the mean over five copies is that of one";
  }
}

// A prompt with two answers: gradients of the branched batch are those of the two whole sequences, scored on the
// answers alone.
TEST_P(GoldenGradients, AnswersThatBranchGiveTheGradientsOfWholeSequences) {
  SmallDecoder m(GetParam());
  for (const auto& prompt : {m.sequences[2], m.long_sequence()}) {
    const std::vector<std::vector<std::int32_t>> answers = {{9, 4, 33}, {50, 7}};
    PackedBatch branched, whole;
    std::vector<Pass::Query> of_branched, of_whole;
    branched.append(m.sequences[1]);
    const std::int64_t parent = branched.append(prompt);
    const auto last = static_cast<std::int64_t>(branched.size()) - 1;
    for (const auto& answer : answers) {
      const std::int64_t begin = branched.size(), start = whole.size() + static_cast<std::int64_t>(prompt.size());
      branched.append(answer, parent);
      auto full = prompt;
      full.insert(full.end(), answer.begin(), answer.end());
      whole.append(full);
      for (std::int64_t t = 0; t < static_cast<std::int64_t>(answer.size()); ++t) {
        of_branched.push_back({t == 0 ? last : begin + t - 1, answer[static_cast<std::size_t>(t)]});
        of_whole.push_back({start + t - 1, answer[static_cast<std::size_t>(t)]});
      }
    }
    const std::vector<double> weights = {0.5, -0.25, 1, 0.75, 0.125};
    const auto run = [&](const PackedBatch& batch, const std::vector<Pass::Query>& queries, Gradients& to) {
      const auto pass = m.decoder.record(m.view, batch, {.first_layer = -1});
      pass->backward_log_probabilities(queries, weights, to);
      pass->backward(to);
    };
    AllGradients a(m.store), b(m.store);
    run(branched, of_branched, a);
    run(whole, of_whole, b);
    for (std::size_t id = 0; id < m.store.size(); ++id)
      EXPECT_LT(distance(a[id], b[id]), 1e-4 * norm(b[id]) + 1e-7) << m.store.spec(id).name;
  }
}

// Attention cut by heads: gradients of a long sequence and a short one together are the sum of those alone, of which
// only the long one's is cut.
TEST_P(GoldenGradients, OfALongSequenceAndAShortOneAdd) {
  SmallDecoder m(GetParam());
  const auto run = [&](const std::vector<std::vector<std::int32_t>>& sequences, Gradients& to) {
    PackedBatch batch;
    std::vector<Pass::Query> queries;
    for (const auto& sequence : sequences) {
      const std::int64_t begin = batch.size();
      batch.append(sequence);
      for (std::int64_t t = begin; t + 1 < batch.size(); ++t)
        queries.push_back({t, batch.tokens[static_cast<std::size_t>(t) + 1]});
    }
    const auto pass = m.decoder.record(m.view, batch, {.first_layer = -1, .keeps = true});
    pass->backward_log_probabilities(queries, std::vector<double>(queries.size(), 0.125), to);
    pass->backward(to);
  };
  AllGradients short_one(m.store), long_one(m.store), both(m.store);
  run({m.sequences[3]}, short_one);
  run({m.long_sequence()}, long_one);
  run({m.sequences[3], m.long_sequence()}, both);
  for (std::size_t id = 0; id < m.store.size(); ++id) {
    std::vector<float> sum = short_one[id];
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += long_one[id][i];
    EXPECT_LT(distance(both[id], sum), 1e-5 * norm(sum) + 1e-7) << m.store.spec(id).name;
  }
}

TEST_P(GoldenGradients, StopAtTheLowestLayer) {
  SmallDecoder m(GetParam());
  PackedBatch batch;
  batch.append(m.sequences[2]);
  AllGradients all(m.store), top(m.store, 1);
  m.loss_and_gradients(m.view, batch, false, all);
  m.loss_and_gradients(m.view, batch, false, top);
  std::vector<std::size_t> layers(m.store.shape().layers.size() - 1);
  std::iota(layers.rbegin(), layers.rend(), 1);
  EXPECT_EQ(top.done, layers);
  for (std::size_t id = 0; id < m.store.size(); ++id) {
    const std::string& name = m.store.spec(id).name;
    const std::int64_t layer = m.store.spec(id).layer;
    if (layer >= 1 && m.store.spec(id).role != Role::head) {
      EXPECT_EQ(all[id], top[id]) << name;
    } else if (layer == 0) {
      EXPECT_EQ(norm(top[id]), 0) << name;
    }
  }
}

// Gradients of candidate logits are those of the log-probabilities when the loss is a cross-entropy over all words.
TEST_P(GoldenGradients, CandidatesOverTheWholeVocabularyAreTheLanguageModelLoss) {
  SmallDecoder m(GetParam());
  PackedBatch batch;
  batch.append(m.sequences[2]);
  const std::int64_t row = batch.size() - 1, V = m.store.shape().vocab;
  std::vector<std::int32_t> words(static_cast<std::size_t>(V));
  for (std::int64_t v = 0; v < V; ++v) words[static_cast<std::size_t>(v)] = static_cast<std::int32_t>(v);
  AllGradients a(m.store), b(m.store);
  // Two passes at a time: neither knows of the other.
  const auto pass = m.decoder.record(m.view, batch, {.first_layer = -1, .keeps = true}),
             other = m.decoder.record(m.view, batch, {.first_layer = -1, .keeps = true});
  const std::vector<Pass::Query> query = {{row, 5}};
  pass->backward_log_probabilities(query, std::vector<double>{1}, a);
  pass->backward(a);
  EXPECT_THROW(pass->log_probabilities(query), Error) << "its hidden states are used up";
  const std::vector<std::int64_t> rows = {row};
  const auto logits = other->candidate_logits(rows, words);
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x));
  std::vector<float> gradient;
  for (std::size_t v = 0; v < logits.size(); ++v)
    gradient.push_back(static_cast<float>(std::exp(static_cast<double>(logits[v])) / sum - (v == 5)));
  EXPECT_THROW(other->backward(b), Error) << "no head's gradient";
  other->backward_candidates(rows, words, gradient, b);
  other->backward(b);
  for (std::size_t id = 0; id < m.store.size(); ++id)
    EXPECT_LT(distance(a[id], b[id]), 1e-4 * norm(b[id]) + 1e-8) << m.store.spec(id).name;
}

// bf16 products: within a few percent of the fp32 gradient.
TEST_P(GoldenGradients, Bf16ComputeStaysWithinItsRounding) {
  SmallDecoder exact(GetParam(), 2, Compute::f32, WeightType::bf16),
      rounded(GetParam(), 2, Compute::bf16, WeightType::bf16);
  PackedBatch batch;
  for (const auto& s : exact.sequences) batch.append(s);
  AllGradients a(exact.store), b(rounded.store);
  exact.loss_and_gradients(exact.view, batch, false, a);
  rounded.loss_and_gradients(rounded.view, batch, false, b);
  for (std::size_t id = 0; id < exact.store.size(); ++id) {
    EXPECT_LT(distance(a[id], b[id]), 0.05 * norm(a[id]) + 1e-6) << exact.store.spec(id).name;
    EXPECT_TRUE(distance(a[id], b[id]) > 0 || norm(a[id]) < 1e-6) << exact.store.spec(id).name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenGradients, testing::Values("tied", "biased", "llama3", "unequal"));

}  // namespace
}  // namespace frugal
