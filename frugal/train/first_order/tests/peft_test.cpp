// Adapters that PEFT made and ran (scripts/make_adapter_golden.py, scripts/make_gradient_golden.py): the same logits,
// and for DoRA the same gradients of factors and magnitudes.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "frugal/base/json.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/train/first_order/gradient_buffers.h"
#include "frugal/train/objective/sequence_loss.h"
#include "frugal/train/parametrisation/low_rank.h"

namespace frugal {
namespace {

const std::string kGolden = FRUGAL_SOURCE_DIR "/frugal/";

struct Fixture {
  explicit Fixture(const std::string& adapter)
      : folder(kGolden + "formats/adapter/tests/golden/" + adapter),
        team(2, single_threaded_torch),
        source(ModelSource::open(kGolden + "nn/tests/golden/tied")),
        store(source, WeightType::f32, team),
        decoder(store.shape(), team, Compute::f32),
        pairs(store, read_peft_adapter(folder, store.shape()), 0, 1) {}
  Json read(const std::string& name) const {
    std::ifstream in(folder + "/" + name);
    return Json::parse(in);
  }
  std::string folder;
  Threads team;
  std::shared_ptr<const ModelSource> source;
  WeightStore store;
  Decoder decoder;
  LowRankPairs pairs;
};

class PeftAdapter : public testing::TestWithParam<const char*> {};

// fp32 sums in another order over 64 columns: 1e-4 of logits of up to 4.
TEST_P(PeftAdapter, GivesItsLogits) {
  Fixture f(GetParam());
  const Json golden = f.read("golden.json");
  const auto sequences = golden["sequences"].get<std::vector<std::vector<std::int32_t>>>();
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    PackedBatch batch;
    batch.append(sequences[i]);
    const auto pass = f.decoder.forward(f.pairs.view(), batch);
    const auto logits = pass->logits(batch.size() - 1);
    const auto expected = golden["last"][i].get<std::vector<double>>();
    ASSERT_EQ(logits.size(), expected.size());
    for (std::size_t v = 0; v < logits.size(); ++v) EXPECT_NEAR(logits[v], expected[v], 1e-4) << i << " " << v;
    std::vector<Pass::Query> queries;
    for (std::int64_t t = 0; t + 1 < batch.size(); ++t)
      queries.push_back({t, sequences[i][static_cast<std::size_t>(t) + 1]});
    if (queries.empty()) continue;
    const auto found = pass->log_probabilities(queries);
    for (std::size_t t = 0; t < found.size(); ++t)
      EXPECT_NEAR(found[t], golden["next"][i][t].get<double>(), 1e-4) << i << " " << t;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, PeftAdapter, testing::Values("lora", "rslora", "dora", "patterns"));

TEST(Dora, GradientsAreThoseOfPeft) {
  Fixture f("dora");
  const Json golden = f.read("gradients.json"), sequences = f.read("golden.json")["sequences"];
  std::vector<Sequence> data;
  std::vector<std::uint32_t> all;
  for (const Json& tokens : sequences) {
    if (tokens.size() < 2) continue;
    Sequence sequence;
    sequence.tokens = tokens.get<std::vector<std::int32_t>>();
    sequence.is_target.assign(sequence.tokens.size(), 1);
    all.push_back(static_cast<std::uint32_t>(data.size()));
    data.push_back(sequence);
  }
  SequenceLoss loss(f.decoder, data);
  const auto& parameters = f.pairs.parameters();
  std::vector<std::size_t> active;
  for (std::size_t i = 0; i < parameters.size(); ++i) active.push_back(i);
  GradientBuffers sums(parameters, active, f.store.size(), static_cast<std::int64_t>(f.store.shape().layers.size()),
                       false);
  const double terms = loss.terms(all);
  EXPECT_NEAR(loss.loss_and_gradients(f.pairs.view(), all, 1 / terms, false, sums) / terms,
              golden["loss"].get<double>(), 1e-5);
  ASSERT_EQ(golden["tensors"].size(), parameters.size());
  for (const std::size_t i : active) {
    const Json& expected = golden["tensors"][parameters[i].name];
    ASSERT_FALSE(expected.is_null()) << parameters[i].name;
    const double size = expected["norm"].get<double>();
    double squares = 0, dot = 0;
    for (std::int64_t j = 0; j < parameters[i].count; ++j) {
      const auto g = static_cast<double>(sums.sum(i)[j]);
      squares += g * g;
      dot += g * std::cos(static_cast<double>(j));
    }
    EXPECT_NEAR(std::sqrt(squares), size, 1e-4 * size) << parameters[i].name;
    EXPECT_NEAR(dot, expected["dot"].get<double>(), 1e-4 * size * std::sqrt(static_cast<double>(parameters[i].count)))
        << parameters[i].name;
    for (std::size_t e = 0; e < expected["entries"].size(); ++e)
      EXPECT_NEAR(sums.sum(i)[97 * e], expected["entries"][e].get<double>(), 1e-4 * size) << parameters[i].name;
  }
}

}  // namespace
}  // namespace frugal
