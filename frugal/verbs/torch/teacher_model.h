// The teacher of --objective distill: in memory beside the model that learns, or what it said in a file.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "frugal/base/threads.h"
#include "frugal/data/distill_config.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/train/objective/teacher.h"

namespace frugal {

class TeacherModel {
 public:
  // threads: those of the model that learns.
  TeacherModel(const DistillConfig& config, Threads& threads, Compute compute);
  const ModelSource& source() const { return *source_; }
  const std::string& sha256() const { return sha256_; }  // of the files that hold its weights

  // What says its words from now on: the model itself, or the file at `path`, which is written first unless it is
  // there, of this teacher and these examples. needed: examples that steps will take. after: called behind each
  // forward; may throw. A file that is damaged or of something else is written again, with a warning.
  Teacher& speak(const std::filesystem::path& path, const std::vector<Sequence>& sequences,
                 const std::vector<bool>& needed, const std::function<void()>& after);

 private:
  void load();
  const DistillConfig config_;
  Threads& threads_;
  const Compute compute_;
  std::shared_ptr<const ModelSource> source_;
  const std::string sha256_;
  std::unique_ptr<WeightStore> store_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<Teacher> teacher_;
};

}  // namespace frugal
