// Gradients of some rows or columns of linears, and what else a backward is asked for.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "frugal/nn/tests/backward_model.h"

namespace frugal {
namespace {

using namespace backward_tests;

// Some rows (or columns) of every linear, one sum behind the other, as a tuner lays them out.
class ChosenGradients : public Gradients {
 public:
  ChosenGradients(const WeightStore& store, bool is_columns, const std::vector<std::vector<std::int32_t>>& chosen)
      : is_columns_(is_columns), chosen_(chosen), places_(store.size()) {
    std::size_t end = 0;
    for (std::size_t id = 0; id < store.size(); ++id) {
      places_[id] = end;
      end += chosen[id].size() * static_cast<std::size_t>(is_columns ? store.spec(id).rows : store.spec(id).cols);
    }
    sums_.resize(end);
  }
  std::int64_t lowest_layer() const override { return 0; }
  GradientSum of(std::size_t id) override {
    if (chosen_[id].empty()) return {};
    GradientSum sum{sums_.data() + places_[id]};
    (is_columns_ ? sum.columns : sum.rows) = chosen_[id];
    return sum;
  }
  float at(std::size_t id, std::size_t i) const { return sums_[places_[id] + i]; }

 private:
  bool is_columns_;
  const std::vector<std::vector<std::int32_t>>& chosen_;
  std::vector<std::size_t> places_;
  std::vector<float> sums_;
};

struct Choice {
  const char* name;
  std::vector<std::int32_t> lines;
};

// Scattered ones go through a gather, with their neighbours' of q k v and gate up in one product; neighbouring ones and
// all do not.
TEST(ChosenGradients, AreThoseOfTheDenseGradient) {
  for (const Compute compute : {Compute::f32, Compute::bf16}) {
    SmallDecoder m("tied", 2, compute);
    PackedBatch batch;
    for (const auto& s : m.sequences) batch.append(s);
    AllGradients dense(m.store);
    m.loss_and_gradients(m.view, batch, true, dense);
    for (const bool is_columns : {false, true}) {
      for (const Choice& choice : {Choice{"scattered", {0, 3, 7, 15}}, {"together", {4, 5, 6}}, {"one", {2}}}) {
        std::vector<std::vector<std::int32_t>> chosen(m.store.size());
        for (std::size_t id = 0; id < m.store.size(); ++id) {
          if (m.store.spec(id).name.ends_with("_proj.weight")) chosen[id] = choice.lines;
        }
        ChosenGradients some(m.store, is_columns, chosen);
        m.loss_and_gradients(m.view, batch, false, some);
        for (std::size_t id = 0; id < m.store.size(); ++id) {
          const auto cols = static_cast<std::size_t>(m.store.spec(id).cols),
                     rows = static_cast<std::size_t>(m.store.spec(id).rows), n = chosen[id].size();
          double size = 0;
          for (const float g : dense[id]) size = std::max(size, std::abs(static_cast<double>(g)));
          for (std::size_t i = 0; i < n * (is_columns ? rows : cols); ++i) {
            const std::size_t row = is_columns ? i / n : static_cast<std::size_t>(chosen[id][i / cols]),
                              col = is_columns ? static_cast<std::size_t>(chosen[id][i % n]) : i % cols;
            // bf16 products round once to 8 bits
            ASSERT_NEAR(some.at(id, i), dense[id][row * cols + col], (compute == Compute::f32 ? 1e-5 : 8e-3) * size)
                << choice.name << " " << m.store.spec(id).name << " " << row << " " << col;
          }
        }
      }
    }
  }
}

// The backward stops at the lowest layer with anything trained: the tape keeps nothing below it, no gradient is asked
// for there, and those above are what they are without the stop.
TEST(ChosenGradients, NothingIsKeptBelowTheActiveLayer) {
  SmallDecoder m("tied");
  PackedBatch batch;
  for (const auto& s : m.sequences) batch.append(s);
  for (const bool keeps : {false, true}) {
    Decoder fresh(m.store.shape(), m.team, Compute::f32);  // its tape has held nothing yet
    const auto pass = fresh.record(m.view, batch, {.first_layer = 1, .keeps = keeps});
    const LayerTape &below = pass->tape().at(0), &active = pass->tape().at(1);
    for (const Buffer* buffer : {&below.input, &below.qkv, &below.attended, &below.middle, &below.gate_up})
      EXPECT_EQ(buffer->size(), 0u);
    EXPECT_GT(active.input.size(), 0u);
    EXPECT_EQ(active.gate_up.size() > 0, keeps);
  }
  AllGradients all(m.store), top(m.store, 1);
  m.loss_and_gradients(m.view, batch, false, all);
  m.loss_and_gradients(m.view, batch, false, top);
  EXPECT_EQ(top.done, (std::vector<std::size_t>{1}));
  for (std::size_t id = 0; id < m.store.size(); ++id) {
    const std::string& name = m.store.spec(id).name;
    if (name.find("layers.1.") != std::string::npos) {
      EXPECT_EQ(top[id], all[id]) << name;
    }
    if (name.find("layers.0.") != std::string::npos) {
      EXPECT_EQ(top[id], std::vector<float>(top[id].size())) << name;
    }
  }
}

}  // namespace
}  // namespace frugal
