#include "frugal/verbs/torch/teacher_model.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"

namespace frugal {

TeacherModel::TeacherModel(const DistillConfig& config, Threads& threads, Compute compute)
    : config_(config),
      threads_(threads),
      compute_(compute),
      source_(ModelSource::open(config.teacher)),
      sha256_(source_->sha256()) {}

void TeacherModel::load() {
  store_ = std::make_unique<WeightStore>(source_, parse_weight_type(config_.teacher_weights), threads_);
  decoder_ = std::make_unique<Decoder>(store_->shape(), threads_, compute_);
}

Teacher& TeacherModel::speak(const std::filesystem::path& path, const std::vector<Sequence>& sequences,
                             const std::vector<bool>& needed, const std::function<void()>& after) {
  const std::int64_t k = std::min(config_.teacher_words, source_->shape().vocab);
  if (config_.teacher_store != "stored") {
    load();
    teacher_ = std::make_unique<LiveTeacher>(*decoder_, *store_, k, config_.hidden_weight > 0);
    return *teacher_;
  }
  if (std::filesystem::exists(path)) {
    try {
      auto stored = std::make_unique<StoredTeacher>(path);
      bool serves = stored->teacher() == sha256_ && stored->k() == k && stored->examples() == sequences.size();
      for (std::size_t i = 0; serves && i < sequences.size(); ++i)
        serves = !needed[i] || stored->targets(i) == sequences[i].targets();
      if (serves) {
        teacher_ = std::move(stored);
        return *teacher_;
      }
      warn(path.string() + " is of another teacher or other examples; the teacher runs again");
    } catch (const Error& error) {
      warn(std::string(error.what()) + "; the teacher runs again");
    }
  }
  load();
  {
    LiveTeacher live(*decoder_, *store_, k, false);
    Progress progress(static_cast<std::uint64_t>(std::count(needed.begin(), needed.end(), true)),
                      "examples of the teacher");
    store_teacher(path, sha256_, live, k, sequences, needed, [&](std::size_t done) {
      if (after) after();
      progress.update(done);
    });
  }
  decoder_.reset();
  store_.reset();
  teacher_ = std::make_unique<StoredTeacher>(path);
  return *teacher_;
}

}  // namespace frugal
