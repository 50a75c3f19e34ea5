// What is trained, apart from how: whole weights, some of their rows, low-rank pairs. A view of the model and a list of
// parameters.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frugal/formats/adapter/lora_adapter.h"
#include "frugal/formats/adapter/rows_adapter.h"
#include "frugal/nn/model/weight_store.h"
#include "frugal/nn/model/weight_view.h"
#include "frugal/train/parametrisation/window.h"
#include "frugal/train/run/snapshot.h"

namespace frugal {

struct Parameter {
  enum class Part { whole, rows, columns, factor_a, factor_b, magnitude };  // of the tensor `id`
  std::string name;
  std::size_t id = 0;
  Part part = Part::whole;
  std::vector<std::int32_t> rows;     // Part::rows, and columns of Part::columns: rising
  std::int64_t cols = 0, count = 0;   // numbers in a row, and in all
  std::int64_t layer = 0;             // as TensorSpec::layer
  bool decays = true;                 // weight decay applies: matrices, not vectors
  WeightType type = WeightType::f32;  // of its numbers where they lie
  std::optional<Window> window = {};  // only these entries of the tensor are trained, `count` of them

  std::int64_t gradient_count() const { return window ? window->gradients : count; }  // floats of its gradient
};

class Parametrisation {
 public:
  virtual ~Parametrisation() = default;
  const std::vector<Parameter>& parameters() const {
    return parameters_;
  }  // by layer from the embedding up, then as the tensors count

  std::uint64_t trained() const {  // numbers, at one time
    std::uint64_t sum = 0;
    for (const Parameter& p : parameters_) sum += static_cast<std::uint64_t>(p.count);
    return sum;
  }

  virtual const WeightView& view() const = 0;  // the model as trained so far
  // The same for a training step (dropout is on); valid until the next call.
  virtual const WeightView& training_view(std::uint64_t) { return view(); }
  // Its `count` numbers, one after the other; with a window the whole tensor.
  virtual std::byte* values(std::size_t parameter) = 0;
  // What is trained may change with each turn of a schedule: then parameters() does, but for ids and layers.
  virtual void begin_turn(std::uint64_t) {}
  virtual std::vector<NamedBytes> state() = 0;      // all numbers that are trained
  virtual void restart() = 0;                       // back to the start
  virtual bool has_pairs() const { return false; }  // adapter() has something, and copies it
  virtual std::optional<LoraAdapter> adapter() const { return {}; }
  virtual std::optional<RowsAdapter> rows_adapter() const { return {}; }
  virtual void merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const = 0;

 protected:
  std::vector<Parameter> parameters_;
};

// Chosen tensors of the store, whole, in place.
class WholeWeights : public Parametrisation {
 public:
  // Error(Exit::usage): none is chosen. Error(Exit::input): weights kept as stored.
  WholeWeights(WeightStore& store, Threads& threads, const std::vector<bool>& chosen);
  const WeightView& view() const override { return view_; }
  std::byte* values(std::size_t parameter) override;
  std::vector<NamedBytes> state() override;
  void restart() override { store_.load(threads_); }
  void merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const override {
    store_.read_rows(id, begin, end, out);
  }

 private:
  WeightStore& store_;
  Threads& threads_;
  BaseView view_;
};

}  // namespace frugal
