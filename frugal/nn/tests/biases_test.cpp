// Biases linear by linear: a model with some of them is the one that has all, the others 0.
#include <gtest/gtest.h>

#include "frugal/formats/patched_model.h"
#include "frugal/formats/tests/small_model.h"
#include "frugal/nn/model/tensor_ids.h"
#include "frugal/nn/tests/backward_model.h"

namespace frugal {
namespace {

using backward_tests::AllGradients;
using formats_tests::SmallModel;

struct Running {
  Running(std::shared_ptr<const ModelSource> source, Threads& team, Compute compute)
      : store(std::move(source), WeightType::f32, team), view(store), decoder(store.shape(), team, compute) {}
  std::vector<float> logits(const std::vector<std::int32_t>& tokens, std::size_t at_once) {
    KvCache cache(store.shape(), tokens.size(), decoder.compute());
    std::vector<float> last;
    for (std::size_t begin = 0; begin < tokens.size(); begin += at_once) {
      PackedBatch batch;
      batch.append(std::span(tokens).subspan(begin, std::min(at_once, tokens.size() - begin)));
      last = decoder.forward(view, batch, cache)->logits(batch.size() - 1);
    }
    return last;
  }
  WeightStore store;
  BaseView view;
  Decoder decoder;
};

// `some` with random values, and the same with the rest as zeros.
struct Pair {
  explicit Pair(Biases some) {
    ModelShape shape = formats_tests::small_shape(true);
    shape.layers = {{4, 2, 96}, {2, 1, 33}, {0, 0, 64}};
    shape.biases = some;
    few = std::make_shared<SmallModel>(shape);
    all = std::make_shared<PatchedModel>(few, Biases{true, true, true, true, true, true, true});
  }
  std::shared_ptr<const ModelSource> few, all;
};

const Biases kSome[] = {{.o = true, .down = true}, {.q = true, .gate = true}, {.k = true, .up = true}, {.v = true}};

TEST(Biases, OneByOneAreAsAllWithZeros) {
  Threads team(2, single_threaded_torch);
  std::vector<std::int32_t> tokens(40);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i * i * 7 % 250);
  for (const Biases& some : kSome) {
    const Pair pair(some);
    for (const Compute compute : {Compute::f32, Compute::bf16}) {
      Running few(pair.few, team, compute), all(pair.all, team, compute);
      for (const std::size_t at_once : {std::size_t{40}, std::size_t{1}})  // packed, and a token at a time
        EXPECT_EQ(few.logits(tokens, at_once), all.logits(tokens, at_once));
    }
  }
}

TEST(Biases, HaveTheSameGradients) {
  Threads team(2, single_threaded_torch);
  for (const Biases& some : kSome) {
    const Pair pair(some);
    Running few(pair.few, team, Compute::f32), all(pair.all, team, Compute::f32);
    const auto gradients_of = [](Running& of, AllGradients& gradients) {
      PackedBatch batch;
      std::vector<Pass::Query> queries;
      for (std::int32_t t = 0; t < 30; ++t) batch.tokens.push_back(t * t % 250), batch.positions.push_back(t);
      batch.segments.push_back({0, 30, -1});
      for (std::int64_t t = 0; t + 1 < 30; ++t) queries.push_back({t, batch.tokens[static_cast<std::size_t>(t) + 1]});
      const auto pass = of.decoder.record(of.view, batch, {-1, true});
      pass->log_probabilities(queries);
      pass->backward_log_probabilities(queries, std::vector<double>(queries.size(), 0.1), gradients);
      pass->backward(gradients);
    };
    AllGradients of_few(few.store), of_all(all.store);
    gradients_of(few, of_few);
    gradients_of(all, of_all);
    std::size_t biases = 0;
    const PatchedModel larger(pair.all);
    for (std::size_t id = 0; id < few.store.size(); ++id) {
      const TensorSpec& spec = few.store.spec(id);
      EXPECT_EQ(of_few[id], of_all[larger.find(spec.layer, spec.role, spec.is_bias)]) << spec.name;
      biases += spec.is_bias && backward_tests::norm(of_few[id]) > 0;
    }
    EXPECT_GT(biases, 0u);
  }
}

// A batch that somebody takes through the parts of all layers comes out as from a forward.
TEST(Parts, OneAfterTheOtherAreAForward) {
  Threads team(2, single_threaded_torch);
  const Pair pair({.o = true, .gate = true});
  for (const Compute compute : {Compute::f32, Compute::bf16}) {
    Running model(pair.few, team, compute);
    PackedBatch batch;
    std::vector<std::int32_t> tokens(70);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i * 11 % 250);
    batch.append(tokens);
    batch.append(std::span(tokens).subspan(0, 9));
    const std::int64_t C = model.store.shape().hidden;
    std::vector<float> h(static_cast<std::size_t>(batch.size() * C));
    for (std::int64_t t = 0; t < batch.size(); ++t) {
      const std::int32_t token = batch.tokens[static_cast<std::size_t>(t)];
      model.store.read_rows(DecoderIds(model.store.shape()).embedding, token, token + 1, h.data() + t * C);
    }
    for (std::size_t layer = 0; layer < model.store.shape().layers.size(); ++layer) {
      for (const LayerPart part : {LayerPart::attention, LayerPart::feed_forward})
        model.decoder.run_part(model.view, batch, layer, part, h.data());
    }
    const auto pass = model.decoder.forward(model.view, batch);
    EXPECT_EQ(h, std::vector<float>(pass->hidden().at(0), pass->hidden().at(0) + h.size()));
  }
}

}  // namespace
}  // namespace frugal
