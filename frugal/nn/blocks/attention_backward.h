// The backward of attention, see attention.h: dm of its result, which dhidden holds, becomes dh of its input in place.
//   da = dm Wo;  dq, dk, dv from da and the scores made again, turned back;
//   dx = dq Wq + dk Wk + dv Wv;  dh = dm + norm's of dx
// Private to nn/.
#pragma once
#include "frugal/nn/blocks/backward_call.h"

namespace frugal {

template <class T>
class AttentionBackward {
 public:
  explicit AttentionBackward(const BackwardCall<T>& call);
  void output(const Rows& rows) const;  // da; expects Wo in panels_rest
  // Items of attention itself: a prompt and its continuations, of a long one by heads of keys.
  std::int64_t items() const { return static_cast<std::int64_t>(roots_.size()) * parts_; }
  void attend(std::int64_t item, int thread) const;
  void project(const Rows& rows) const;                       // dh; expects the weights of q k v in panels_qkv
  void add_output_gradients(WeightGradients<T>& work) const;  // of o, after output()
  void add_gradients(WeightGradients<T>& work) const;         // of q k v, after project()
  void add_gain() const;

 private:
  template <class E>  // E: what is multiplied in
  void attend_in(std::int64_t item, int thread) const;
  bool wants_input() const { return call_.wants(kQ) || call_.wants(kK) || call_.wants(kV); }
  GradientSum gain() const { return call_.sum(call_.layer.id.input_norm); }

  const BackwardCall<T>& call_;
  std::vector<std::int64_t> roots_;  // segments without a parent
  std::int64_t parts_ = 1;
  bool goes_on_ = false;  // something below the layer's input is trained
};

}  // namespace frugal
