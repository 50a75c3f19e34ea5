// A tiny language model over bytes (8 layers, hidden size 96, windows of 64 bytes), and tuning it by any method of
// tune: what the acceptance of BAdam and SPruFT is measured on.
#pragma once
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "frugal/base/philox.h"
#include "frugal/formats/model_source.h"
#include "frugal/formats/tokenizer.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/train/objective/sequence_loss.h"
#include "frugal/train/schedule.h"
#include "frugal/train/tuner_registry.h"

namespace frugal::small_scale {

constexpr std::int64_t kLayers = 8, kWidth = 96, kWindow = 64, kBatch = 8;

inline ModelShape tiny_shape() {
  ModelShape shape;
  shape.vocab = 256;
  shape.hidden = kWidth;
  shape.head_dim = 24;
  shape.context = 256;
  shape.layers.assign(kLayers, LayerShape{4, 4, 256});
  shape.tied_embeddings = true;
  return shape;
}

// Weights in memory that a store begins with. Matrices are normal with variance 1/in, those that write to the residual
// stream smaller by sqrt(2 layers).
class TinyModel : public ModelSource {
 public:
  TinyModel(const ModelShape& shape, std::uint64_t seed) {
    path_ = "tiny";
    shape_ = shape;
    for (const TensorSpec& spec : tensor_specs(shape_)) {
      SourceTensor tensor;
      static_cast<TensorSpec&>(tensor) = spec;
      tensor.type = "F32";
      tensors_.push_back(tensor);
      values_.emplace_back(static_cast<std::size_t>(spec.rows * spec.cols), 1.0f);
      if (!spec.is_vector) draw(values_.size() - 1, seed, 2.0 * static_cast<double>(kLayers));
    }
  }
  // Fresh weights for one layer, those that write to the residual stream as large as the others: damage that tuning is
  // to mend. (At their small scale from before training the layer would do next to nothing, and so little harm.)
  void redraw_layer(std::size_t layer, std::uint64_t seed) {
    for (std::size_t id = 0; id < tensors_.size(); ++id) {
      if (tensors_[id].is_layer_linear() && tensors_[id].layer == static_cast<std::int64_t>(layer)) draw(id, seed, 1);
    }
  }
  void take(const Tuner& tuner) {
    for (std::size_t id = 0; id < tensors_.size(); ++id)
      tuner.merged_rows(id, 0, tensors_[id].rows, values_[id].data());
  }
  const std::vector<float>& values(std::size_t id) const { return values_[id]; }

  std::string sha256() const override { return "tiny"; }
  void read_rows(std::size_t index, std::int64_t begin, std::int64_t end, float* out) const override {
    const std::int64_t cols = tensors_[index].cols;
    std::copy(values_[index].data() + begin * cols, values_[index].data() + end * cols, out);
  }
  const std::byte* stored_row(std::size_t index, std::int64_t row) const override {
    return reinterpret_cast<const std::byte*>(values_[index].data() + row * tensors_[index].cols);
  }
  void release_rows(std::size_t, std::int64_t, std::int64_t) const override {}
  void read_ahead(std::size_t) const override {}
  std::unique_ptr<Tokenizer> tokenizer() const override { return nullptr; }
  std::string chat_template() const override { return {}; }
  Json generation_config() const override { return Json::object(); }
  std::string license() const override { return {}; }

 private:
  void draw(std::size_t id, std::uint64_t seed, double writers) {
    const TensorSpec& spec = tensors_[id];
    const bool writes =
        spec.name.find("o_proj") != std::string::npos || spec.name.find("down_proj") != std::string::npos;
    const bool is_embedding = spec.name.find("embed") != std::string::npos;
    const double scale = is_embedding ? 0.05 : 1 / std::sqrt(static_cast<double>(spec.cols) * (writes ? writers : 1.0));
    PhiloxSequence random(seed, Stream::initial, static_cast<std::uint32_t>(id));
    for (float& value : values_[id]) {  // the sum of 12 uniforms less 6: normal enough
      double sum = -6;
      for (int i = 0; i < 12; ++i) sum += random.uniform();
      value = static_cast<float>(scale * sum);
    }
  }
  std::vector<std::vector<float>> values_;
};

// Windows of a text's bytes, one after the other; at most `most`.
inline std::vector<Sequence> windows(const std::string& text, std::size_t most) {
  std::vector<Sequence> all;
  const auto width = static_cast<std::size_t>(kWindow);
  for (std::size_t at = 0; at + width <= text.size() && all.size() < most; at += width) {
    Sequence sequence;
    for (std::size_t i = 0; i < width; ++i)
      sequence.tokens.push_back(static_cast<std::int32_t>(static_cast<unsigned char>(text[at + i])));
    sequence.is_target.assign(width, 1);
    all.push_back(std::move(sequence));
  }
  return all;
}

// A model under training: weights in fp32, products in fp32, so that figures do not depend on the processor.
struct Bench {
  Bench(std::shared_ptr<const ModelSource> model, Threads& team, const std::vector<Sequence>& train,
        const std::vector<Sequence>& held_out)
      : threads(team),
        store(std::move(model), WeightType::f32, team),
        decoder(store.shape(), team, Compute::f32),
        loss(decoder, train),
        judge(decoder, held_out) {
    register_tuners(registry);
  }
  // settings: those of the method, and seed. The tuner's first step is 0.
  std::unique_ptr<Tuner> tuner(const std::string& method, Json settings) {
    settings["batch"] = kBatch;
    settings["weights"] = "f32";
    TunerContext context{store, threads, &loss, chosen, run_settings(settings)};
    return registry.at(method)(settings, context);
  }
  // `steps` steps of the cosine schedule on windows drawn by seed; after_step(step) when one is done.
  void train(Tuner& tuner, std::int64_t steps, double lr, std::uint64_t seed,
             const std::function<void(std::int64_t)>& after_step = {}) {
    for (std::int64_t step = 0; step < steps; ++step) {
      PhiloxSequence random(seed, Stream::initial, static_cast<std::uint32_t>(1000 + step));
      std::vector<std::uint32_t> batch;
      for (std::int64_t i = 0; i < kBatch; ++i) batch.push_back(random.below(static_cast<std::uint32_t>(loss.size())));
      tuner.step(static_cast<std::uint64_t>(step), learning_rate("cosine", lr, 10, steps, step), batch);
      if (after_step) after_step(step + 1);
    }
  }
  double held_out(const Tuner& tuner) { return judge.evaluate(tuner.view(), "windows")["loss"].get<double>(); }

  Threads& threads;
  WeightStore store;
  Decoder decoder;
  SequenceLoss loss, judge;
  TunerRegistry registry;
  Json chosen;
};

}  // namespace frugal::small_scale
