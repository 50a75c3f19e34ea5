// A larger model as distillation sees it: what it says of the words that are predicted.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "frugal/data/sequence_task.h"
#include "frugal/formats/memory_map.h"
#include "frugal/nn/model/model.h"
#include "frugal/train/run/teacher_file.h"

namespace frugal {

class Teacher {
 public:
  using Indices = std::span<const std::uint32_t>;
  virtual ~Teacher() = default;
  // Of `rows` of the batch, in their order, which holds these examples; a row for each target of each example.
  virtual LikelyWords words(Indices examples, const PackedBatch& batch, std::span<const std::int64_t> rows) = 0;
  // The output of layer `layer` in that call, [N, C]; null: it is not kept.
  virtual const kernels::Bf16* hidden(std::size_t /*layer*/) const { return nullptr; }
};

// Runs with every call.
class LiveTeacher : public Teacher {
 public:
  // k: words of a row. All outlive it.
  LiveTeacher(Model& model, const WeightStore& store, std::int64_t k, bool keeps_hidden);
  LikelyWords words(Indices examples, const PackedBatch& batch, std::span<const std::int64_t> rows) override;
  const kernels::Bf16* hidden(std::size_t layer) const override;

 private:
  class Recorder;
  Model& model_;
  const WeightStore& store_;
  const std::int64_t k_;
  std::shared_ptr<Recorder> recorder_;  // null: hidden states are not kept
};

// Reads what a teacher said before the run, from a file that is mapped: see teacher_file.h.
class StoredTeacher : public Teacher {
 public:
  // Reads the whole file against its checksum. Error(Exit::input): another kind of file, newer, damaged.
  explicit StoredTeacher(const std::filesystem::path& path);
  LikelyWords words(Indices examples, const PackedBatch& batch, std::span<const std::int64_t> rows) override;
  const std::string& teacher() const { return head_.teacher; }  // what names it
  std::int64_t k() const { return head_.k; }
  std::size_t examples() const { return head_.first.size() - 1; }
  std::int64_t targets(std::size_t example) const { return head_.first[example + 1] - head_.first[example]; }

 private:
  MemoryMap map_;
  TeacherHead head_;
};

// Lets `teacher` say its words of the examples that are needed, [examples] flags, one by one, and writes the file,
// whole or not at all. after: called behind each with the examples that are done; may throw.
void store_teacher(const std::filesystem::path& path, const std::string& name, Teacher& teacher, std::int64_t k,
                   const std::vector<Sequence>& sequences, const std::vector<bool>& needed,
                   const std::function<void(std::size_t done)>& after);

}  // namespace frugal
