// Sizes of the networks, each with the options it brings along; no LibTorch.
//
// Defaults are those of the paper's code (arXiv:2403.19572, DWPeltier3/Swarm-NN-TSC); its tuned sizes are in
// models_table.cpp. Lists are one number a layer.
#pragma once
#include <charconv>
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/base/config.h"
#include "frugal/base/system.h"

namespace frugal::tsc {

using Sizes = std::vector<std::string>;  // as options hold them

// As numbers. Error(Exit::usage) naming the option unless each is in [least, most].
std::vector<std::int64_t> numbers(const char* option, const Sizes& sizes, std::int64_t least, std::int64_t most);

struct FcConfig {
  Sizes units = {"100", "12"};
  double dropout = 0.1;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "units", .help = "of each hidden layer, 1 to 65536", .group = "model"}, c.units);
    v({.name = "dropout", .help = "after each layer, in [0, 1)", .group = "model"}, c.dropout);
  }
};

struct CnnConfig {
  Sizes filters = {"64", "64", "64"}, kernels = {"7", "5", "3"};
  std::int64_t pool = 3;
  double dropout = 0.1;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "filters", .help = "of each convolution, 1 to 65536", .group = "model"}, c.filters);
    v({.name = "kernels", .help = "their widths in steps, 1 to 1000", .group = "model"}, c.kernels);
    v({.name = "pool", .help = "steps of the maximum behind each, every second one kept; 1 to 1000", .group = "model"},
      c.pool);
    v({.name = "dropout", .help = "before the head, in [0, 1)", .group = "model"}, c.dropout);
  }
};

// fcn and res: convolutions whose own ReLU stands before the batch norm, as in the authors' code.
struct FcnConfig {
  Sizes filters = {"64", "128", "256"}, kernels = {"8", "5", "3"};
  double dropout = 0;
  bool conv_relu = true;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "filters", .help = "of each convolution, 1 to 65536", .group = "model"}, c.filters);
    v({.name = "kernels", .help = "their widths in steps, 1 to 1000", .group = "model"}, c.kernels);
    v({.name = "dropout", .help = "before the head, in [0, 1)", .group = "model"}, c.dropout);
    v({.name = "conv_relu", .help = "a ReLU before each batch norm, too, as the authors have it", .group = "model"},
      c.conv_relu);
  }
};

struct ResConfig {
  Sizes filters = {"64", "64", "64", "128", "128", "128", "256", "256", "256"};
  Sizes kernels = {"7", "5", "3", "7", "5", "3", "7", "5", "3"};
  double dropout = 0;
  bool conv_relu = true;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "filters", .help = "of each unit, 1 to 65536", .group = "model"}, c.filters);
    v({.name = "kernels", .help = "width of the three convolutions of each unit, 1 to 1000", .group = "model"},
      c.kernels);
    v({.name = "dropout", .help = "before the head, in [0, 1)", .group = "model"}, c.dropout);
    v({.name = "conv_relu", .help = "a ReLU before each batch norm, too, as the authors have it", .group = "model"},
      c.conv_relu);
  }
};

struct LstmConfig {
  Sizes units = {"120", "90"};
  double dropout = 0.1;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "units", .help = "of each layer, 1 to 65536", .group = "model"}, c.units);
    v({.name = "dropout", .help = "of each layer's inputs, in [0, 1)", .group = "model"}, c.dropout);
  }
};

struct TrConfig {
  std::int64_t layers = 2, width = 500, hidden = 400, heads = 4;
  double dropout = 0.1;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "layers", .help = "1 to 100", .group = "model"}, c.layers);
    v({.name = "width", .help = "of a step's vector, even, 2 to 65536; a head's keys have as many", .group = "model"},
      c.width);
    v({.name = "hidden", .help = "of the feed-forward part, 1 to 65536", .group = "model"}, c.hidden);
    v({.name = "heads", .help = "of attention, 1 to 64", .group = "model"}, c.heads);
    v({.name = "dropout", .help = "in each layer and before the head, in [0, 1)", .group = "model"}, c.dropout);
  }
};

// Not in the paper: agents in any order, each through the same convolutions (Zaheer et al., "Deep Sets",
// arXiv:1703.06114).
struct SetsConfig {
  Sizes filters = {"64", "64"}, kernels = {"7", "5"}, units = {"64"};
  double dropout = 0.1;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "filters", .help = "of each convolution over one agent's steps, 1 to 65536", .group = "model"},
      c.filters);
    v({.name = "kernels", .help = "their widths in steps, 1 to 1000", .group = "model"}, c.kernels);
    v({.name = "units", .help = "of each layer behind the agents' mean and maximum, 1 to 65536", .group = "model"},
      c.units);
    v({.name = "dropout", .help = "after each such layer, in [0, 1)", .group = "model"}, c.dropout);
  }
};

struct ModelConfig {
  FcConfig fc;
  CnnConfig cnn;
  FcnConfig fcn;
  ResConfig res;
  LstmConfig lstm;
  TrConfig tr;
  SetsConfig sets;

  template <class Visitor>
  void visit(const std::string& model, Visitor&& v) {
    visit_parts(*this, model, v);
  }
  template <class Visitor>
  void visit(const std::string& model, Visitor&& v) const {
    visit_parts(*this, model, v);
  }

 private:
  template <class Self, class Visitor>
  static void visit_parts(Self& c, const std::string& model, Visitor&& v) {
    if (model == "fc") FcConfig::fields(c.fc, v);
    if (model == "cnn") CnnConfig::fields(c.cnn, v);
    if (model == "fcn") FcnConfig::fields(c.fcn, v);
    if (model == "res") ResConfig::fields(c.res, v);
    if (model == "lstm") LstmConfig::fields(c.lstm, v);
    if (model == "tr") TrConfig::fields(c.tr, v);
    if (model == "sets") SetsConfig::fields(c.sets, v);
  }
};

void validate(const ModelConfig& c, const std::string& model);

// The models as plug-ins of the field "model".
std::vector<Plugin> models();

// Sizes that the authors' search found for this model and output at a window of at most about 30 steps, or at the full
// one, as {field: value}; with the sizes that are only known for another output or window where there are no own ones.
// Null: the search's result is not known.
Json tuned_sizes(const std::string& model, const std::string& output, const std::string& length, std::int64_t window);

}  // namespace frugal::tsc
