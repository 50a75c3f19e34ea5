// Distillation: the cross-entropy of the text, how far the words' probabilities are from a teacher's, and how far the
// layers' outputs are (arXiv:1503.02531; the repair of arXiv:2402.05406, section 4).
#pragma once
#include "frugal/data/distill_config.h"
#include "frugal/train/objective/sequence_loss.h"
#include "frugal/train/objective/teacher.h"

namespace frugal {

// KL(teacher || model) in nats, over the k words that log_p of the teacher and of the model are of, and one event more
// for all other words: less than the divergence over all words by how much the others differ among themselves, and
// where the model gives them less than half of what the teacher does, in a straight line instead of a logarithm.
// weights[k]: the gradient of the divergence is that of -sum_i weights[i] log p(word i).
double divergence(std::span<const float> teacher, std::span<const double> model, std::span<double> weights);

// A term of the loss is a target: ce_weight times its cross-entropy, kl_weight times the divergence, and hidden_weight
// times the mean over the layers of |h - h_teacher|^2 / |h_teacher|^2 at its row.
class DistillLoss : public SequenceLoss {
 public:
  // sequences and teacher outlive it.
  DistillLoss(Model& model, const std::vector<Sequence>& sequences, const DistillConfig& config,
              std::int64_t max_tokens = kPackedTokens)
      : SequenceLoss(model, sequences, max_tokens), config_(config) {}
  // Until then the text alone counts: methods that choose what to train look at the loss before a run has its folder,
  // where a teacher's words may lie.
  void set_teacher(Teacher& teacher) { teacher_ = &teacher; }

  // Error(Exit::usage): hidden_weight is above 0, which needs a backward pass.
  std::vector<double> loss_sums(const WeightView& view, Indices examples) override;
  double loss_and_gradients(const WeightView& view, Indices examples, double scale, bool keeps,
                            Gradients& gradients) override;
  Json take_details() override;  // means of "ce", "kl" and "hidden" over the targets

 private:
  struct Sums {
    double ce = 0, kl = 0, hidden = 0, count = 0;
  };
  // What the teacher says of a part's targets, and the queries for it, behind those of the targets.
  struct Lesson {
    LikelyWords words;
    std::vector<Pass::Query> queries;
  };
  Lesson lesson(const Part& part);
  // The loss of a part by the log-probabilities of its queries; weights: of each query's -log p, null: not wanted.
  double judge(const Lesson& lesson, std::size_t targets, std::span<const double> log_p, double* weights);
  double add_hidden(const Part& part, std::size_t layer, const float* h, float* dh, double scale);

  const DistillConfig config_;
  Teacher* teacher_ = nullptr;
  Sums sums_;
};

}  // namespace frugal
