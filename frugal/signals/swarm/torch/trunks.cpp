#include "frugal/base/error.h"
#include "frugal/signals/swarm/torch/classifier.h"

namespace frugal::tsc {
namespace {

using Noise = std::shared_ptr<StepNoise>;

// Each of `list`'s layers is part i of the module, "name0", "name1", ...
template <class Layer>
Layer& add(torch::nn::Module& module, std::vector<Layer>& list, const std::string& name, Layer layer) {
  list.push_back(module.register_module(name + std::to_string(list.size()), std::move(layer)));
  return list.back();
}

class FcTrunk : public Trunk {
 public:
  FcTrunk(const FcConfig& c, const Shape& s, Initialiser& initial, const Noise& noise) {
    width_ = s.features * s.window;
    for (const std::int64_t units : numbers("--units", c.units, 1, 65536)) {
      add(*this, layers_, "dense", dense(width_, units, initial));
      add(*this, drops_, "dropout", Dropout(c.dropout, noise));
      width_ = units;
    }
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    torch::Tensor h = x.flatten(1);
    for (std::size_t i = 0; i < layers_.size(); ++i) h = drops_[i](layers_[i](h).relu_());
    return h;
  }

 private:
  std::vector<torch::nn::Linear> layers_;
  std::vector<Dropout> drops_;
};

class CnnTrunk : public Trunk {
 public:
  CnnTrunk(const CnnConfig& c, const Shape& s, Initialiser& initial, const Noise& noise)
      : pool_(c.pool), dropout_(register_module("dropout", Dropout(c.dropout, noise))) {
    const auto filters = numbers("--filters", c.filters, 1, 65536), kernels = numbers("--kernels", c.kernels, 1, 1000);
    std::int64_t in = s.features, length = s.window;
    for (std::size_t i = 0; i < filters.size(); ++i) {
      add(*this, convs_, "conv", SameConv(in, filters[i], kernels[i], initial));
      in = filters[i], length = (length + 1) / 2;
    }
    width_ = in * length;
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    torch::Tensor h = x;
    for (auto& conv : convs_) h = max_pool_same(conv(h).relu_(), pool_);
    return dropout_(h.flatten(1));
  }

 private:
  std::int64_t pool_;
  std::vector<SameConv> convs_;
  Dropout dropout_;
};

// Convolution, its own ReLU where asked for, batch norm.
class NormedConv {
 public:
  NormedConv(torch::nn::Module& owner, const std::string& name, std::int64_t in, std::int64_t out, std::int64_t kernel,
             bool has_relu, Initialiser& initial)
      : has_relu_(has_relu),
        conv_(owner.register_module(name + "_conv", SameConv(in, out, kernel, initial))),
        norm_(owner.register_module(name + "_norm", batch_norm(out))) {}
  torch::Tensor operator()(const torch::Tensor& x) {
    const torch::Tensor h = conv_(x);
    return norm_(has_relu_ ? h.relu() : h);
  }

 private:
  bool has_relu_;
  SameConv conv_;
  torch::nn::BatchNorm1d norm_;
};

class FcnTrunk : public Trunk {
 public:
  FcnTrunk(const FcnConfig& c, const Shape& s, Initialiser& initial, const Noise& noise)
      : dropout_(register_module("dropout", Dropout(c.dropout, noise))) {
    const auto filters = numbers("--filters", c.filters, 1, 65536), kernels = numbers("--kernels", c.kernels, 1, 1000);
    width_ = s.features;
    for (std::size_t i = 0; i < filters.size(); ++i) {
      layers_.emplace_back(*this, "layer" + std::to_string(i), width_, filters[i], kernels[i], c.conv_relu, initial);
      width_ = filters[i];
    }
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    torch::Tensor h = x;
    for (auto& layer : layers_) h = layer(h).relu_();
    return dropout_(h.mean(2));
  }

 private:
  std::vector<NormedConv> layers_;
  Dropout dropout_;
};

// Units of three normed convolutions; what goes in, through a convolution of width 1, is added before the last ReLU.
class ResTrunk : public Trunk {
 public:
  ResTrunk(const ResConfig& c, const Shape& s, Initialiser& initial, const Noise& noise)
      : dropout_(register_module("dropout", Dropout(c.dropout, noise))) {
    const auto filters = numbers("--filters", c.filters, 1, 65536), kernels = numbers("--kernels", c.kernels, 1, 1000);
    width_ = s.features;
    for (std::size_t i = 0; i < filters.size(); ++i) {
      const std::string name = "unit" + std::to_string(i);
      for (int part = 0; part < 3; ++part) {
        convs_.emplace_back(*this, name + "_" + std::to_string(part), part == 0 ? width_ : filters[i], filters[i],
                            kernels[i], c.conv_relu, initial);
      }
      skips_.push_back(register_module(name + "_skip", SameConv(width_, filters[i], 1, initial)));
      width_ = filters[i];
    }
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    torch::Tensor h = x;
    for (std::size_t i = 0; i < skips_.size(); ++i) {
      const torch::Tensor skip = skips_[i](h).relu_();
      h = convs_[3 * i + 1](convs_[3 * i](h).relu_()).relu_();
      h = (convs_[3 * i + 2](h) + skip).relu_();
    }
    return dropout_(h.mean(2));
  }

 private:
  std::vector<NormedConv> convs_;
  std::vector<SameConv> skips_;
  Dropout dropout_;
};

class LstmTrunk : public Trunk {
 public:
  LstmTrunk(const LstmConfig& c, const Shape& s, Initialiser& initial, const Noise& noise)
      : is_sequence_(s.is_sequence) {
    width_ = s.features;
    for (const std::int64_t units : numbers("--units", c.units, 1, 65536)) {
      add(*this, drops_, "dropout", Dropout(c.dropout, noise, 1));
      add(*this, layers_, "lstm", MaskedLstm(width_, units, initial));
      width_ = units;
    }
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    torch::Tensor h = x.transpose(1, 2).contiguous(), mask = (x != 0).any(1);  // [B, W]
    if (mask.all().item<bool>()) mask.reset();
    for (std::size_t i = 0; i < layers_.size(); ++i) h = layers_[i](drops_[i](h), mask);
    return is_sequence_ ? h : h.select(1, h.size(1) - 1);
  }

 private:
  bool is_sequence_;
  std::vector<MaskedLstm> layers_;
  std::vector<Dropout> drops_;
};

class TrTrunk : public Trunk {
 public:
  TrTrunk(const TrConfig& c, const Shape& s, Initialiser& initial, const Noise& noise)
      : is_sequence_(s.is_sequence),
        embed_(register_module("embed", dense(s.features, c.width, initial))),
        code_(sinusoidal_code(s.window, c.width)),
        dropout_(register_module("dropout", Dropout(c.dropout, noise))) {
    width_ = c.width;
    for (std::int64_t i = 0; i < c.layers; ++i) {
      add(*this, attentions_, "attention", WideAttention(c.width, c.heads, s.is_sequence, initial));
      add(*this, attention_norms_, "attention_norm", layer_norm(c.width));
      add(*this, wide_, "wide", dense(c.width, c.hidden, initial));
      add(*this, narrow_, "narrow", dense(c.hidden, c.width, initial));
      add(*this, drops_, "layer_dropout", Dropout(c.dropout, noise));
      add(*this, norms_, "norm", layer_norm(c.width));
    }
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    torch::Tensor h = embed_(x.transpose(1, 2)).relu() * std::sqrt(static_cast<double>(width_)) + code_;
    for (std::size_t i = 0; i < norms_.size(); ++i) {
      h = attention_norms_[i](h + attentions_[i](h));
      h = norms_[i](h + drops_[i](narrow_[i](wide_[i](h).relu_())));
    }
    return dropout_(is_sequence_ ? h : h.mean(1));
  }

 private:
  bool is_sequence_;
  torch::nn::Linear embed_;
  torch::Tensor code_;
  Dropout dropout_;
  std::vector<WideAttention> attentions_;
  std::vector<torch::nn::LayerNorm> attention_norms_, norms_;
  std::vector<torch::nn::Linear> wide_, narrow_;
  std::vector<Dropout> drops_;
};

// Features are four blocks of N: [B, 4 N, W] is read as B N series of 4 features. What N agents give is put together by
// mean and maximum, which no order changes.
class SetsTrunk : public Trunk {
 public:
  SetsTrunk(const SetsConfig& c, const Shape& s, Initialiser& initial, const Noise& noise) : agents_(s.agents) {
    const auto filters = numbers("--filters", c.filters, 1, 65536), kernels = numbers("--kernels", c.kernels, 1, 1000);
    std::int64_t in = s.features / agents_;
    for (std::size_t i = 0; i < filters.size(); ++i) {
      add(*this, convs_, "conv", SameConv(in, filters[i], kernels[i], initial));
      in = filters[i];
    }
    width_ = 2 * in;
    for (const std::int64_t units : numbers("--units", c.units, 1, 65536)) {
      add(*this, layers_, "dense", dense(width_, units, initial));
      add(*this, drops_, "dropout", Dropout(c.dropout, noise));
      width_ = units;
    }
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    const std::int64_t batch = x.size(0), steps = x.size(2);
    torch::Tensor h = x.view({batch, -1, agents_, steps}).transpose(1, 2).flatten(0, 1);
    for (auto& conv : convs_) h = conv(h).relu_();
    const torch::Tensor each = h.mean(2).view({batch, agents_, -1});
    h = torch::cat({each.mean(1), each.amax(1)}, 1);
    for (std::size_t i = 0; i < layers_.size(); ++i) h = drops_[i](layers_[i](h).relu_());
    return h;
  }

 private:
  std::int64_t agents_;
  std::vector<SameConv> convs_;
  std::vector<torch::nn::Linear> layers_;
  std::vector<Dropout> drops_;
};

}  // namespace

std::shared_ptr<Trunk> make_trunk(const std::string& model, const ModelConfig& sizes, const Shape& shape,
                                  Initialiser& initial, const Noise& noise) {
  if (model == "fc") return std::make_shared<FcTrunk>(sizes.fc, shape, initial, noise);
  if (model == "cnn") return std::make_shared<CnnTrunk>(sizes.cnn, shape, initial, noise);
  if (model == "fcn") return std::make_shared<FcnTrunk>(sizes.fcn, shape, initial, noise);
  if (model == "res") return std::make_shared<ResTrunk>(sizes.res, shape, initial, noise);
  if (model == "lstm") return std::make_shared<LstmTrunk>(sizes.lstm, shape, initial, noise);
  if (model == "tr") return std::make_shared<TrTrunk>(sizes.tr, shape, initial, noise);
  if (model == "sets") return std::make_shared<SetsTrunk>(sizes.sets, shape, initial, noise);
  throw Error(Exit::usage, "--model is '" + model + "', expected fc, cnn, fcn, res, lstm, tr or sets", "--model cnn");
}

}  // namespace frugal::tsc
