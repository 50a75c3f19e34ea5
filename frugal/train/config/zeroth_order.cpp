#include "frugal/train/config/zeroth_order.h"

#include <utility>

namespace frugal {
namespace {

using kernels::Direction;
using Rule = kernels::Mask::Rule;

constexpr std::pair<const char*, Direction> kDirections[] = {{"sign", Direction::sign},
                                                             {"gaussian", Direction::gaussian},
                                                             {"gaussian16", Direction::gaussian16},
                                                             {"gaussian-exact", Direction::gaussian_exact}};
constexpr std::pair<const char*, Rule> kRules[] = {{"none", Rule::none},
                                                   {"small", Rule::small},
                                                   {"large", Rule::large},
                                                   {"random", Rule::random},
                                                   {"file", Rule::file}};

template <class T, std::size_t N>
const char* name_in(const std::pair<const char*, T> (&table)[N], T value) {
  for (const auto& [name, entry] : table) {
    if (entry == value) return name;
  }
  return "";
}

template <class T, std::size_t N>
T parse(const std::pair<const char*, T> (&table)[N], const std::string& name, const char* option) {
  std::string names;
  for (const auto& [known, value] : table) {
    if (name == known) return value;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw Error(Exit::usage, std::string(option) + " is '" + name + "'", "choose one of " + names);
}

}  // namespace

Direction parse_direction(const std::string& name) { return parse(kDirections, name, "--direction"); }
Rule parse_mask_rule(const std::string& name) {
  return parse(kRules, name.starts_with("file:") ? "file" : name, "--mask");
}
const char* name(Direction direction) { return name_in(kDirections, direction); }

void validate(const ZerothOrderConfig& c) {
  validate(c.step);
  require_setting(c.eps > 0 && c.eps <= 1, "--eps", c.eps, "a number in (0, 1]", "--eps 0.001 suits most models");
  require_setting(c.samples >= 1 && c.samples <= 1024, "--samples", c.samples, "1 to 1024",
                  "--samples 1 is the most efficient");
  validate(c.trained);
  require_setting(c.trained.low_rank.dropout == 0, "--dropout", c.trained.low_rank.dropout,
                  "0: both losses of a difference are of the same model", "leave --dropout out");
}

Json trajectory_header(const LoggedEngine& engine) {
  const ZerothOrderConfig& c = engine.config;
  const MaskConfig& m = engine.mask;
  return {{"method", "zeroth-order"},
          {"generator", "philox4x32-10"},
          {"direction", c.direction},
          {"eps", static_cast<float>(c.eps)},  // as the engine takes it
          {"samples", c.samples},
          {"weight_decay", c.step.weight_decay},
          {"evaluated_direction", c.evaluated_direction},
          {"stochastic_rounding", c.rounding == "stochastic"},
          {"mask", name_in(kRules, parse_mask_rule(m.mask))},
          {"mask_file", m.file()},
          {"sparsity", m.sparsity},
          {"dynamic_mask", m.dynamic_mask},
          {"mask_vectors", m.mask_vectors},
          {"seed", engine.seed}};
}

LoggedEngine logged_engine(const Json& header) {
  try {
    LoggedEngine engine;
    ZerothOrderConfig& c = engine.config;
    MaskConfig& m = engine.mask;
    c.direction = name(parse_direction(header.at("direction")));
    c.eps = static_cast<double>(header.at("eps").get<float>());
    c.samples = header.at("samples");
    c.step.weight_decay = header.at("weight_decay");
    c.evaluated_direction = header.at("evaluated_direction");
    c.rounding = header.at("stochastic_rounding").get<bool>() ? "stochastic" : "nearest";
    m.mask = name_in(kRules, parse_mask_rule(header.at("mask")));
    if (const std::string file = header.at("mask_file"); m.mask == "file") m.mask += ":" + file;
    m.sparsity = header.at("sparsity");
    m.dynamic_mask = header.at("dynamic_mask");
    m.mask_vectors = header.at("mask_vectors");
    engine.seed = header.at("seed");
    c.trained = from_json<TrainedConfig>(header.value("trained", Json::object()));
    return engine;
  } catch (const nlohmann::json::exception& error) {
    throw Error(Exit::input, std::string("the trajectory's header is not complete: ") + error.what(),
                "use the trajectory of a frugal run");
  }
}

}  // namespace frugal
