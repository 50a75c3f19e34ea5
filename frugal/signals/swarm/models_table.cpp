#include "frugal/signals/swarm/model_config.h"

namespace frugal::tsc {
namespace {

void validate_dropout(double dropout) {
  require_setting(dropout >= 0 && dropout < 1, "--dropout", dropout, "a number in [0, 1)", "--dropout 0.1 is usual");
}

constexpr std::int64_t kMostWidth = 65536, kMostKernel = 1000;
constexpr std::size_t kMostLayers = 100;

void validate_pairs(const Sizes& filters, const Sizes& kernels) {
  numbers("--filters", filters, 1, kMostWidth);
  numbers("--kernels", kernels, 1, kMostKernel);
  if (filters.size() != kernels.size()) {
    throw Error(Exit::usage,
                "--filters has " + std::to_string(filters.size()) + " layers and --kernels " +
                    std::to_string(kernels.size()) + ", expected as many",
                "--filters 64,64,64 --kernels 7,5,3");
  }
}

void validate(const FcConfig& c) {
  numbers("--units", c.units, 1, kMostWidth);
  validate_dropout(c.dropout);
}

void validate(const CnnConfig& c) {
  validate_pairs(c.filters, c.kernels);
  require_setting(c.pool >= 1 && c.pool <= 1000, "--pool", c.pool, "1 to 1000", "--pool 3 is usual");
  validate_dropout(c.dropout);
}

void validate(const FcnConfig& c) {
  validate_pairs(c.filters, c.kernels);
  validate_dropout(c.dropout);
}

void validate(const ResConfig& c) {
  validate_pairs(c.filters, c.kernels);
  validate_dropout(c.dropout);
}

void validate(const LstmConfig& c) {
  numbers("--units", c.units, 1, kMostWidth);
  validate_dropout(c.dropout);
}

void validate(const TrConfig& c) {
  require_setting(c.layers >= 1 && c.layers <= 100, "--layers", c.layers, "1 to 100", "--layers 2 is usual");
  require_setting(c.width >= 2 && c.width <= kMostWidth && c.width % 2 == 0, "--width", c.width,
                  "an even number from 2 to 65536", "--width 500 is usual");
  require_setting(c.hidden >= 1 && c.hidden <= kMostWidth, "--hidden", c.hidden, "1 to 65536", "--hidden 400 is usual");
  require_setting(c.heads >= 1 && c.heads <= 64, "--heads", c.heads, "1 to 64", "--heads 4 is usual");
  validate_dropout(c.dropout);
}

void validate(const SetsConfig& c) {
  validate_pairs(c.filters, c.kernels);
  numbers("--units", c.units, 1, kMostWidth);
  validate_dropout(c.dropout);
}

template <class Config>
Plugin plugin(std::string_view name, std::string_view summary, std::string_view source = "arXiv:2403.19572") {
  return {.name = name,
          .summary = summary,
          .source = source,
          .fields = describe_fields<Config>(),
          .validate = [](const Json& settings) { validate(from_json<Config>(settings)); }};
}

}  // namespace

std::vector<std::int64_t> numbers(const char* option, const Sizes& sizes, std::int64_t least, std::int64_t most) {
  std::vector<std::int64_t> all;
  for (const std::string& text : sizes) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
      throw Error(Exit::usage,
                  std::string(option) + " holds '" + text + "', expected whole numbers from " + std::to_string(least) +
                      " to " + std::to_string(most),
                  std::string(option) + " 64,32 are two layers");
    }
    all.push_back(value);
  }
  if (all.empty() || all.size() > kMostLayers) {
    throw Error(Exit::usage,
                std::string(option) + " has " + std::to_string(all.size()) + " numbers, expected 1 to " +
                    std::to_string(kMostLayers),
                std::string(option) + " 64,32 are two layers");
  }
  return all;
}

void validate(const ModelConfig& c, const std::string& model) {
  if (model == "fc") validate(c.fc);
  if (model == "cnn") validate(c.cnn);
  if (model == "fcn") validate(c.fcn);
  if (model == "res") validate(c.res);
  if (model == "lstm") validate(c.lstm);
  if (model == "tr") validate(c.tr);
  if (model == "sets") validate(c.sets);
}

std::vector<Plugin> models() {
  return {plugin<FcConfig>("fc", "fully connected layers"),
          plugin<CnnConfig>("cnn", "convolutions over time, each with max pooling"),
          plugin<FcnConfig>("fcn", "convolutions with batch norm, averaged over time"),
          plugin<ResConfig>("res", "residual units of three convolutions"),
          plugin<LstmConfig>("lstm", "recurrent layers"),
          plugin<TrConfig>("tr", "transformer encoder"),
          plugin<SetsConfig>("sets", "the same convolutions for each agent, whatever their order", "arXiv:1703.06114")};
}

Json tuned_sizes(const std::string& model, const std::string& output, const std::string& length, std::int64_t window) {
  const bool is_short = window <= 30, is_multi_head = output == "mh";
  using List = Sizes;
  if (model == "fc") return {{"units", List{"60", "80"}}, {"dropout", 0.2}};
  if (model == "cnn") {
    if (!is_short)
      return {{"filters", List{"64", "32", "192", "96"}},
              {"kernels", List{"3", "3", "5", "7"}},
              {"pool", 3},
              {"dropout", 0.1}};
    if (is_multi_head)
      return {{"filters", List{"224", "32", "160", "224", "96", "224"}},
              {"kernels", List{"7", "7", "5", "7", "5", "3"}},
              {"pool", 3},
              {"dropout", 0.3}};
    return {{"filters", List{"32"}}, {"kernels", List{"7"}}, {"pool", 5}, {"dropout", 0.1}};
  }
  if (model == "fcn") return {{"filters", List{"96", "32"}}, {"kernels", List{"7", "5"}}};
  if (model == "lstm") {
    if (is_multi_head || !is_short) return {{"units", length == "seq" ? List{"150"} : List{"120"}}};
    return {{"units", List{"100", "90", "60", "10", "10"}}};
  }
  if (model == "tr") {
    if (is_short) return {{"layers", 4}, {"width", 400}, {"hidden", 400}, {"heads", 3}, {"dropout", 0.2}};
    return {{"layers", 2}, {"width", 500}, {"hidden", 400}, {"heads", 4}, {"dropout", 0.0}};
  }
  return nullptr;
}

}  // namespace frugal::tsc
