// The backward of the feed-forward, see feed_forward.h: dy of its result, which dhidden holds, becomes dm of its input
// in place.
//   dp = dy Wd, p = silu(g) * u;  dg, du by silu's derivative;  dx = dg Wg + du Wu;  dm = dy + norm's of dx
// Gate and up on the tape become their gradients. Private to nn/.
#pragma once
#include "frugal/nn/blocks/backward_call.h"

namespace frugal {

template <class T>
class FeedForwardBackward {
 public:
  explicit FeedForwardBackward(const BackwardCall<T>& call);
  void run(const Rows& rows) const;  // expects the weights in panels_rest
  void add_gradients(WeightGradients<T>& work) const;
  void add_gain() const;

 private:
  bool wants_input() const { return call_.wants(kGate) || call_.wants(kUp); }
  GradientSum gain() const { return call_.sum(call_.layer.id.post_norm); }
  const BackwardCall<T>& call_;
};

}  // namespace frugal
