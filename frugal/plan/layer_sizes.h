// What the blocks of a layer take, in numbers: their weights, and for each token what a forward has, what it leaves on
// the tape and what a backward needs. The blocks reserve by these, and plans add them up: N is std::int64_t there and
// Saturating here, where a header may claim any size.
// Letters: C hidden size, D head size, H query heads, K key heads, F feed-forward width.
#pragma once
#include <cstdint>

#include "frugal/formats/model_shape.h"

namespace frugal {

// h + softmax(q k^T / sqrt(D)) v Wo^T with q, k, v = norm(h) Wq^T, norm(h) Wk^T, norm(h) Wv^T. Without heads: h.
template <class N>
struct AttentionSizes {
  AttentionSizes(const ModelShape& shape, const LayerShape& layer)
      : C(shape.hidden),
        D(shape.head_dim),
        H(layer.heads),
        K(layer.kv_heads),
        q_width(H * D),
        kv_width(K * D),
        qkv_width(q_width + N(2) * kv_width),
        biases(shape.biases) {}
  N C, D, H, K, q_width, kv_width, qkv_width;  // widths: of a token's row
  Biases biases;

  N qkv_weights() const { return qkv_width * C; }
  N o_weights() const { return C * q_width; }
  N vectors() const {  // gain and biases
    const auto bias = [](bool is_there, N width) { return is_there ? width : N(0); };
    return H > N(0)
               ? C + bias(biases.q, q_width) + bias(biases.k, kv_width) + bias(biases.v, kv_width) + bias(biases.o, C)
               : N(0);
  }
  N row() const { return qkv_width + q_width; }  // q k v and what is attended: of a forward, the tape and a backward
};

// h + (silu(x Wg^T) * (x Wu^T)) Wd^T with x = norm(h). Without a width: h.
template <class N>
struct FeedForwardSizes {
  FeedForwardSizes(const ModelShape& shape, const LayerShape& layer)
      : C(shape.hidden), F(layer.ffn), biases(shape.biases) {}
  N C, F;
  Biases biases;

  N weights() const { return weights(F); }
  N weights(N columns) const { return N(3) * columns * C; }  // of so many of F
  N vectors() const {
    const auto bias = [](bool is_there, N width) { return is_there ? width : N(0); };
    return F > N(0) ? C + bias(biases.gate, F) + bias(biases.up, F) + bias(biases.down, C) : N(0);
  }
  N taped() const { return N(2) * F; }  // gate and up
};

template <class N>
struct LayerSizes {
  LayerSizes(const ModelShape& shape, const LayerShape& layer) : attention(shape, layer), feed_forward(shape, layer) {}
  AttentionSizes<N> attention;
  FeedForwardSizes<N> feed_forward;
  // Weights that are made ready at once: the products' before attention, and those behind it.
  N behind(N columns) const { return attention.o_weights() + feed_forward.weights(columns); }
  // On the tape for each token beside the layer's input, in the type products take; beside them C in fp32.
  N taped() const { return attention.row() + feed_forward.taped(); }
};

}  // namespace frugal
