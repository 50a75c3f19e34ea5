// One layer of one pass over a batch: what its blocks share. Private to nn/.
#pragma once
#include <cstring>

#include "frugal/nn/blocks/layer_pairs.h"
#include "frugal/nn/blocks/norm.h"
#include "frugal/nn/model/pass_memory.h"

namespace frugal {

// What a layer's forward leaves on a tape: nothing; the input; all; all but the input, which is read from the tape
// instead (the forward runs again, up to what the backward reads).
enum class Recording { none, input, all, again };

// Rows [begin, begin + count) of the hidden states of branch b, a work item of one thread.
struct Rows {
  int branch;
  std::int64_t begin, count;
  int thread;
};

template <class T>
struct LayerCall {
  Workspace& work;
  PassMemory& pass;
  const WeightView& view;
  const PackedBatch& batch;
  const LayerLayout& at;
  const LayerIds& id;
  const LayerPairs<T>& pairs;
  std::size_t layer;
  float norm_eps;
  LayerTape* tape = nullptr;
  Recording recording = Recording::none;
  FfnBlocks blocks = {1, 0};

  std::int64_t tokens() const { return batch.size(); }
  std::int64_t chunk() const { return chunk_tokens(tokens(), view.branches()); }
  std::int64_t items() const { return view.branches() * ((tokens() + chunk() - 1) / chunk()); }
  Rows rows(std::int64_t item, int thread) const {
    const std::int64_t begin = item / view.branches() * chunk();
    return {static_cast<int>(item % view.branches()), begin, std::min(tokens(), begin + chunk()) - begin, thread};
  }
  bool keeps() const { return recording == Recording::all || recording == Recording::again; }
  float* hidden(const Rows& r) const { return pass.hidden.at(r.branch, r.begin); }
  PairScratch& pair_scratch(const Rows& r) const { return work.pair_scratch[static_cast<std::size_t>(r.thread)]; }
  NormBlock norm(int branch, int which) const {  // 0: before attention, 1: before the feed-forward
    return {work.gains.at<float>(branch, static_cast<std::size_t>(which * at.C)), at.C, norm_eps};
  }

  // Scratch of the thread: the rows that two products in a row have, and those of the feed-forward.
  T* scratch(const Rows& r) const {
    Buffer& mine = work.scratch[static_cast<std::size_t>(r.thread)];
    mine.grow(static_cast<std::size_t>(chunk() * (2 * at.C + (keeps() ? 1 : 2) * blocks.width)) * sizeof(T));
    return mine.as<T>();
  }
  // Between the layer's input and its tape.
  void record_input(const Rows& r) const {
    if (tape == nullptr) return;
    const auto bytes = static_cast<std::size_t>(r.count * at.C) * sizeof(float);
    float* const input = tape->input.as<float>() + r.begin * at.C;
    if (recording == Recording::again)
      std::memcpy(hidden(r), input, bytes);
    else
      std::memcpy(input, hidden(r), bytes);
  }
  // Rows `from` on of what lies on the tape where it is kept, else in the workspace.
  T* qkv(int branch, std::int64_t from) const {
    const std::int64_t element = from * at.qkv_width;
    return keeps() ? tape->qkv.template as<T>() + element : work.qkv.at<T>(branch, static_cast<std::size_t>(element));
  }
  T* attended(int branch, std::int64_t from) const {
    const std::int64_t element = from * at.q_width;
    return keeps() ? tape->attended.template as<T>() + element
                   : work.attended.at<T>(branch, static_cast<std::size_t>(element));
  }
  // y[rows, ..] += the biases of `slot`, the first of those that share its rows, and of these.
  void add_bias(Slot slot, const Rows& r, T* y, std::int64_t width) const;
};

}  // namespace frugal
