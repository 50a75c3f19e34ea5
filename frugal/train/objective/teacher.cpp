#include "frugal/train/objective/teacher.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/sha256.h"
#include "frugal/formats/ggml/half.h"
#include "frugal/nn/blocks/masked_view.h"
#include "frugal/plan/cuts.h"
#include "frugal/train/run/hashed_file.h"

namespace frugal {
namespace {

constexpr std::size_t kChecksum = 64;

}  // namespace

// Each layer's output, [N, C]: the next layer's input.
class LiveTeacher::Recorder : public UnitObserver {
 public:
  explicit Recorder(const ModelShape& shape) : C_(shape.hidden), outputs_(shape.layers.size()) {}
  void begin(std::int64_t tokens) {
    for (auto& output : outputs_) output.resize(static_cast<std::size_t>(tokens * C_));
  }
  void hidden(std::size_t layer, std::int64_t begin, std::int64_t count, const float* h) override {
    if (layer == 0) return;
    kernels::to_bf16(h, outputs_[layer - 1].data() + begin * C_, static_cast<std::size_t>(count * C_));
  }
  const kernels::Bf16* of(std::size_t layer) const { return outputs_[layer].data(); }

 private:
  std::int64_t C_;
  std::vector<std::vector<kernels::Bf16>> outputs_;
};

LiveTeacher::LiveTeacher(Model& model, const WeightStore& store, std::int64_t k, bool keeps_hidden)
    : model_(model),
      store_(store),
      k_(std::min(k, model.shape().vocab)),
      recorder_(keeps_hidden ? std::make_shared<Recorder>(model.shape()) : nullptr) {}

LikelyWords LiveTeacher::words(Indices, const PackedBatch& batch, std::span<const std::int64_t> rows) {
  if (!recorder_) return model_.forward(BaseView(store_), batch)->likeliest_words(rows, k_);
  recorder_->begin(batch.size());
  return model_.forward(WatchedView(store_, *recorder_), batch)->likeliest_words(rows, k_);
}

const kernels::Bf16* LiveTeacher::hidden(std::size_t layer) const { return recorder_ ? recorder_->of(layer) : nullptr; }

StoredTeacher::StoredTeacher(const std::filesystem::path& path) : map_(path) {
  const std::span<const std::byte> all = map_.bytes();
  if (all.size() < kChecksum) refuse_teacher(path.string(), "holds no words of a teacher");
  const std::span<const std::byte> content = all.first(all.size() - kChecksum);
  constexpr std::size_t kPart = 1 << 20;
  Sha256 checksum;
  for (std::size_t begin = 0; begin < content.size(); begin += kPart) {
    const auto part = content.subspan(begin, std::min(kPart, content.size() - begin));
    checksum.update(part.data(), part.size());
    map_.release(part);
  }
  head_ = parse_teacher_head(content, path.string());
  if (checksum.hex() != std::string_view(reinterpret_cast<const char*>(content.data() + content.size()), kChecksum))
    refuse_teacher(path.string(), "is damaged: its bytes do not have the checksum at its end");
  map_.release(all);
}

LikelyWords StoredTeacher::words(Indices examples, const PackedBatch&, std::span<const std::int64_t> rows) {
  const std::int64_t k = head_.k;
  LikelyWords found{k, {}, {}};
  for (const std::uint32_t example : examples) {
    for (std::int64_t row = head_.first[example]; row < head_.first[example + 1]; ++row) {
      const std::byte* at = map_.bytes().data() + head_.bytes + static_cast<std::size_t>(row) * head_.row_bytes();
      for (std::int64_t i = 0; i < k; ++i) {
        std::int32_t word = 0;
        std::uint16_t log_p = 0;
        std::memcpy(&word, at + 4 * i, 4);
        std::memcpy(&log_p, at + 4 * k + 2 * i, 2);
        found.words.push_back(word);
        found.log_p.push_back(half_to_float(log_p));
      }
    }
  }
  if (found.words.size() != rows.size() * static_cast<std::size_t>(k)) {
    throw Error(Exit::input,
                "the teacher's words are of " + std::to_string(found.words.size() / static_cast<std::size_t>(k)) +
                    " targets, the examples have " + std::to_string(rows.size()),
                "remove teacher.bin from the run's folder; the teacher then runs again");
  }
  return found;
}

void store_teacher(const std::filesystem::path& path, const std::string& name, Teacher& teacher, std::int64_t k,
                   const std::vector<Sequence>& sequences, const std::vector<bool>& needed,
                   const std::function<void(std::size_t done)>& after) {
  std::vector<std::int64_t> first = {0};
  for (std::size_t i = 0; i < sequences.size(); ++i)
    first.push_back(first.back() + (needed[i] ? sequences[i].targets() : 0));
  HashedFile file(path);
  const std::string head = TeacherHead{name, k, first}.text();
  file.write(head.data(), head.size());
  std::vector<std::uint32_t> examples;  // that go through one forward
  PackedBatch batch;
  std::vector<std::int64_t> rows;
  std::size_t done = 0;
  const auto run = [&] {
    if (examples.empty()) return;
    throw_if_interrupted();
    const LikelyWords words = teacher.words(examples, batch, rows);
    std::vector<std::uint16_t> halves(static_cast<std::size_t>(k));
    for (std::size_t at = 0; at < words.words.size(); at += halves.size()) {
      for (std::size_t j = 0; j < halves.size(); ++j) halves[j] = float_to_half(words.log_p[at + j]);
      file.write(words.words.data() + at, 4 * halves.size());
      file.write(halves.data(), 2 * halves.size());
    }
    done += std::exchange(examples, {}).size();
    batch = {};
    rows.clear();
    after(done);
  };
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (!needed[i]) continue;
    const Sequence& sequence = sequences[i];
    if (batch.size() + static_cast<std::int64_t>(sequence.tokens.size()) > kPackedTokens) run();
    const std::int64_t begin = batch.size();
    examples.push_back(static_cast<std::uint32_t>(i));
    batch.append(sequence.tokens);
    for (std::size_t t = 1; t < sequence.tokens.size(); ++t) {
      if (sequence.is_target[t] != 0) rows.push_back(begin + static_cast<std::int64_t>(t) - 1);
    }
  }
  run();
  file.commit();
}

}  // namespace frugal
