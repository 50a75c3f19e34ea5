// What the training loop knows of a method: it takes steps over the weights of a store.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/data/prompt_task.h"

namespace frugal {

struct StepResult {
  double loss = 0;             // nats, mean over the batch (or 1 - accuracy)
  bool skipped = false;        // a loss was not finite; nothing was changed
  std::vector<float> record;   // what repeats the step on the same weights
};

class Tuner {
 public:
  virtual ~Tuner() = default;
  virtual StepResult step(std::uint64_t step, double lr, std::span<const Example* const> batch) = 0;
  // The same change of the weights as step() made, from its record.
  virtual void replay(std::uint64_t step, double lr, std::span<const float> record) = 0;
  virtual std::size_t record_size() const = 0;  // numbers a step records
  virtual Json trajectory_header() const = 0;   // all that replay needs beside the records and the base weights
};

}  // namespace frugal
