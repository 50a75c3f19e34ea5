// What the training loop knows of a method: it takes steps over a model, and its state can be saved.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/formats/adapter/lora_adapter.h"
#include "frugal/formats/adapter/rows_adapter.h"
#include "frugal/nn/model/weight_view.h"
#include "frugal/train/run/snapshot.h"

namespace frugal {

struct TuningStep {
  double loss = 0;  // nats, mean over the batch (or 1 - accuracy)
  // A loss was not finite, and nothing was changed; or a gradient was not, and the layers above it may have stepped.
  bool skipped = false;
  std::vector<float> record;      // what repeats the step on the same weights, for a method that replays
  Json details = Json::object();  // for the event log: gradient_norm, active_block, ...
};

class Tuner {
 public:
  virtual ~Tuner() = default;
  // batch: indices of the training set's examples.
  virtual TuningStep step(std::uint64_t step, double lr, std::span<const std::uint32_t> batch) = 0;
  virtual const WeightView& view() const = 0;            // the model as tuned so far
  virtual std::uint64_t trained() const = 0;             // numbers that steps change, before the first one
  virtual std::vector<double> likely_rates() const = 0;  // step sizes that --lr auto tries, rising
  virtual void restart() = 0;                            // back to the start of the run
  // What a snapshot after `steps` steps holds: all that the next step depends on. Valid until the next call of any
  // member.
  virtual std::vector<NamedBytes> state(std::uint64_t steps) = 0;
  virtual std::vector<NamedBytes>
  result() = 0;  // what was trained, without an optimiser's state; a run ends with its hash
  // Rows of the tuned model as a plain one has them, for export.
  virtual void merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const = 0;

  virtual std::optional<LoraAdapter> adapter() const { return {}; }       // where low-rank pairs are trained
  virtual std::optional<RowsAdapter> rows_adapter() const { return {}; }  // where rows or columns are

  // A method whose steps repeat from a few numbers: a run is then a log of them on its base, and snapshots only save
  // time.
  virtual std::size_t record_size() const { return 0; }  // numbers a step; 0: it does not replay
  virtual Json trajectory_header() const {
    return {};
  }  // all that replay needs beside the records and the base weights
  virtual void replay(std::uint64_t, double, std::span<const float>) {
    throw Error(Exit::internal, "this method has no trajectory", "report this with the command you ran");
  }
};

}  // namespace frugal
