#include <gtest/gtest.h>

#include <cmath>

#include "frugal/base/json.h"
#include "frugal/formats/adapter/peft_config.h"
#include "frugal/formats/adapter/tests/adapter_files.h"

namespace frugal {
namespace {

using namespace adapter_tests;

std::size_t index_of(const ModelSource& model, const std::string& name) {
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    if (model.tensors()[i].name == name) return i;
  }
  throw Error(Exit::internal, "no " + name, "-");
}

// Row i of the merged weight, in double.
std::vector<double> merged_row(const ModelSource& model, const LowRankFactor& factor, std::int64_t i) {
  std::vector<float> base(static_cast<std::size_t>(factor.in));
  model.read_rows(index_of(model, factor.module + ".weight"), i, i + 1, base.data());
  std::vector<double> row(base.begin(), base.end());
  double squares = 0;
  for (std::int64_t j = 0; j < factor.in; ++j) {
    double sum = 0;
    for (std::int64_t k = 0; k < factor.rank; ++k)
      sum += static_cast<double>(factor.b[static_cast<std::size_t>(i * factor.rank + k)]) *
             factor.a[static_cast<std::size_t>(k * factor.in + j)];
    row[static_cast<std::size_t>(j)] += factor.scale * sum;
    squares += row[static_cast<std::size_t>(j)] * row[static_cast<std::size_t>(j)];
  }
  if (!factor.magnitude.empty()) {
    for (double& value : row) value *= factor.magnitude[static_cast<std::size_t>(i)] / std::sqrt(squares);
  }
  return row;
}

void expect_same(const LoraAdapter& a, const LoraAdapter& b) {
  EXPECT_EQ(a.use_rslora, b.use_rslora);
  EXPECT_EQ(a.dropout, b.dropout);
  EXPECT_EQ(a.base_model, b.base_model);
  ASSERT_EQ(a.factors.size(), b.factors.size());
  for (std::size_t i = 0; i < a.factors.size(); ++i) {
    const LowRankFactor &x = a.factors[i], &y = b.factors[i];
    EXPECT_EQ(x.module, y.module);
    EXPECT_EQ(std::tie(x.rank, x.in, x.out, x.alpha, x.scale), std::tie(y.rank, y.in, y.out, y.alpha, y.scale))
        << x.module;
    EXPECT_EQ(x.a, y.a) << x.module;
    EXPECT_EQ(x.b, y.b) << x.module;
    EXPECT_EQ(x.magnitude, y.magnitude) << x.module;
  }
}

// What PEFT merges is what the factors say: names, orientation, ranks, alphas, scales, magnitudes, dtypes.
class PeftGolden : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Variants, PeftGolden, testing::Values("lora", "rslora", "dora", "patterns"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(PeftGolden, FactorsMergeToPeftsWeights) {
  const auto model = golden_model();
  const LoraAdapter adapter = read_peft_adapter(golden(GetParam()), model->shape());
  const Json record = Json::parse(read_file(golden(GetParam()) / "golden.json"));
  ASSERT_EQ(adapter.factors.size(), record["modules"].size());
  for (const LowRankFactor& factor : adapter.factors) {
    const auto found = std::find_if(record["modules"].begin(), record["modules"].end(),
                                    [&](const Json& m) { return m["module"] == factor.module; });
    ASSERT_NE(found, record["modules"].end()) << factor.module;
    EXPECT_EQ(factor.rank, (*found)["rank"]) << factor.module;
    for (std::size_t r = 0; r < (*found)["rows"].size(); ++r) {
      const auto row = merged_row(*model, factor, (*found)["rows"][r]);
      for (std::size_t j = 0; j < row.size(); ++j) {
        // written with 6 decimals; fp32 there
        EXPECT_NEAR(row[j], (*found)["merged"][r][j].get<double>(), 0.5e-6 + 16 * 0x1p-24 * 2)
            << factor.module << " row " << r << " column " << j;
      }
    }
  }
  EXPECT_EQ(adapter.base_model, "golden/tied");
  EXPECT_EQ(adapter.dropout, GetParam() == std::string("lora") ? 0.05 : 0);
  EXPECT_EQ(adapter.use_dora(), GetParam() == std::string("dora"));
}

TEST_P(PeftGolden, WrittenAgainItIsTheSame) {
  const TemporaryFolder folder;
  const ModelShape shape = golden_model()->shape();
  const LoraAdapter adapter = read_peft_adapter(golden(GetParam()), shape);
  write_peft_adapter(adapter, shape, folder / "again");
  expect_same(adapter, read_peft_adapter(folder / "again", shape));
}

TEST(PeftAdapter, WriteThenReadIsTheIdentity) {
  for (const Kind kind : {Kind::lora, Kind::rslora, Kind::dora}) {
    for (const char* dtype : {"f32", "f16", "bf16"}) {
      const TemporaryFolder folder;
      const ModelShape shape = small_shape(true);
      LoraAdapter adapter = small_adapter(shape, kind, dtype == std::string("f16") ? "q_proj" : "");
      set_scale(adapter, 1, 0.75);
      write_peft_adapter(adapter, shape, folder / "a", dtype);
      expect_same(adapter, read_peft_adapter(folder / "a", shape));
      EXPECT_EQ(folder.entries(), 1u);
    }
  }
}

TEST(PeftAdapter, ConfigurationSaysWhatMostFactorsHave) {
  const ModelShape shape = small_shape(true);
  LoraAdapter adapter = small_adapter(shape, Kind::lora, "self_attn");
  adapter.factors.pop_back();  // o_proj of the second layer
  set_scale(adapter, 2, 2.5);
  const Json config = peft_config(adapter, shape);
  EXPECT_EQ(config["target_modules"], Json({"q_proj", "k_proj", "v_proj", "model.layers.0.self_attn.o_proj"}));
  EXPECT_EQ(config["r"], 3);
  EXPECT_EQ(config["lora_alpha"].dump(), "6");
  EXPECT_EQ(config["alpha_pattern"], Json({{"model.layers.0.self_attn.v_proj", 2.5}}));
  EXPECT_EQ(config["rank_pattern"], Json::object());
}

// A layer with a longer number, and one whose name the other's pattern would match as a regular expression.
TEST(PeftAdapter, PatternsOfOneLayerLeaveTheOthersAlone) {
  ModelShape shape = small_shape(true);
  shape.layers.assign(12, shape.layers.front());
  LoraAdapter adapter = small_adapter(shape, Kind::lora, "k_proj");
  set_scale(adapter, 1, 9);
  const TemporaryFolder folder;
  write_peft_adapter(adapter, shape, folder / "a");
  expect_same(adapter, read_peft_adapter(folder / "a", shape));
}

TEST(PeftAdapter, NothingIsLeftWhenItIsRefused) {
  const TemporaryFolder folder;
  const ModelShape shape = small_shape(true);
  const LoraAdapter adapter = small_adapter(shape, Kind::lora);
  EXPECT_NE(error_of([&] { write_peft_adapter(adapter, shape, folder / "a", "q8_0"); }).find("q8_0, but an adapter"),
            std::string::npos);
  LoraAdapter wrong = adapter;
  wrong.factors[3].b.pop_back();
  EXPECT_NE(error_of([&] { write_peft_adapter(wrong, shape, folder / "a"); }).find("wrong size"), std::string::npos);
  wrong = adapter;
  wrong.factors[3].scale *= 2;
  EXPECT_NE(error_of([&] { write_peft_adapter(wrong, shape, folder / "a"); }).find("has scale"), std::string::npos);
  wrong = adapter;
  wrong.factors.push_back(wrong.factors.front());
  EXPECT_NE(error_of([&] { write_peft_adapter(wrong, shape, folder / "a"); }).find("occurs twice"), std::string::npos);
  EXPECT_EQ(folder.entries(), 0u);
  write_peft_adapter(adapter, shape, folder / "a");
  EXPECT_NE(error_of([&] { write_peft_adapter(adapter, shape, folder / "a"); }).find("not an empty folder"),
            std::string::npos);
  EXPECT_EQ(folder.entries(), 1u);
}

}  // namespace
}  // namespace frugal
