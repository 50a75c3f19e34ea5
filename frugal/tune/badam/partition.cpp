#include "frugal/tune/badam/partition.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "frugal/base/philox.h"

namespace frugal {
namespace {

// What the names of a layer's tensors begin with: "model.layers.3." of "model.layers.3.mlp.up_proj.weight".
std::string layer_prefix(const TensorSpec& tensor) {
  const std::string number = "." + std::to_string(tensor.layer) + ".";
  return tensor.name.substr(0, tensor.name.find(number) + number.size());
}

bool has_prefix(const std::string& name, std::string prefix) {
  if (prefix.empty()) return false;
  if (prefix.back() != '.') prefix += '.';
  return name.starts_with(prefix) || name + "." == prefix;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) c == at ? static_cast<void>(parts.emplace_back()) : static_cast<void>(parts.back() += c);
  return parts;
}

// The block of a layer's tensor: its layer, its half of the layer, or its linear; a norm goes with what it feeds.
std::string block_name(const TensorSpec& tensor, const std::string& kind) {
  const std::string layer = layer_prefix(tensor);
  if (kind == "layer") return layer;
  const bool is_feed_forward = tensor.role == Role::feed_forward_norm || tensor.role == Role::gate ||
                               tensor.role == Role::up || tensor.role == Role::down;
  if (kind == "module") return layer + (is_feed_forward ? "mlp." : "self_attn.");
  if (tensor.role == Role::input_norm) return layer + "self_attn.q_proj.";
  if (tensor.role == Role::feed_forward_norm) return layer + "mlp.gate_proj.";
  return tensor.name.substr(0, tensor.name.rfind('.') + 1);  // without "weight" or "bias"
}

}  // namespace

Partition partition_blocks(const std::vector<TensorSpec>& tensors, const BadamConfig& config) {
  Partition result;
  std::map<std::string, std::size_t> places;
  const auto join = [&](const std::string& block, std::size_t member) {
    const auto [at, is_new] = places.emplace(block, result.blocks.size());
    if (is_new) result.blocks.push_back({block, {}});
    result.blocks[at->second].members.push_back(member);
  };
  const std::string custom = config.block.starts_with("custom:") ? config.block.substr(7) : std::string();
  std::vector<std::vector<std::string>> prefixes;
  for (const std::string& block : split(custom, ';')) prefixes.push_back(split(block, '+'));
  for (const auto& list : {config.always_active}) {
    for (const std::string& prefix : list) {
      if (std::none_of(tensors.begin(), tensors.end(),
                       [&](const TensorSpec& t) { return has_prefix(t.name, prefix); })) {
        throw Error(Exit::usage, "--always-active names '" + prefix + "', which no parameter begins with",
                    "give a prefix of a name such as " + tensors.front().name);
      }
    }
  }
  std::vector<std::size_t> used(prefixes.size(), 0);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorSpec& tensor = tensors[i];
    const std::string& name = tensor.name;
    if (std::any_of(config.always_active.begin(), config.always_active.end(),
                    [&](const std::string& p) { return has_prefix(name, p); })) {
      result.always.push_back(i);
      continue;
    }
    if (!custom.empty()) {
      std::optional<std::size_t> found;
      for (std::size_t b = 0; b < prefixes.size(); ++b) {
        if (std::none_of(prefixes[b].begin(), prefixes[b].end(),
                         [&](const std::string& p) { return has_prefix(name, p); }))
          continue;
        if (found) {
          throw Error(Exit::usage,
                      "--block puts " + name + " into block " + std::to_string(*found) + " and block " +
                          std::to_string(b) + " of '" + custom + "'",
                      "give prefixes that do not overlap");
        }
        found = b;
        ++used[b];
        join("block " + std::to_string(b), i);
      }
      if (!found) result.frozen.push_back(i);
      continue;
    }
    const bool is_embedding = tensor.role == Role::embedding;
    if (tensor.is_of_layer())
      join(block_name(tensor, config.block), i);
    else if (is_embedding && config.include_embedding)
      join("embedding", i);
    else if (!is_embedding && config.include_lm_head)
      join("head", i);
    else
      result.frozen.push_back(i);
  }
  for (std::size_t b = 0; !custom.empty() && b < prefixes.size(); ++b) {
    if (used[b] == 0)
      throw Error(Exit::usage, "--block: block " + std::to_string(b) + " of '" + custom + "' matches no parameter",
                  "give prefixes of names such as " + tensors.front().name);
  }
  if (result.blocks.empty())
    throw Error(Exit::usage, "no block has anything to train", "choose --block layer, or --include-embedding");
  if (config.start_block >= static_cast<std::int64_t>(result.blocks.size())) {
    throw Error(Exit::usage,
                "--start-block is " + std::to_string(config.start_block) + ", but there are " +
                    std::to_string(result.blocks.size()) + " blocks",
                "the last is " + std::to_string(result.blocks.size() - 1));
  }
  return result;
}

std::vector<bool> in_turns(const std::vector<TensorSpec>& tensors, const BadamConfig& config) {
  std::vector<bool> chosen(tensors.size());
  for (const ParameterBlock& block : partition_blocks(tensors, config).blocks) {
    for (const std::size_t i : block.members) chosen[i] = true;
  }
  return chosen;
}

std::size_t block_at(std::uint64_t step, std::size_t blocks, std::int64_t every, const BadamConfig& config,
                     std::uint64_t seed) {
  const std::uint64_t turn = step / static_cast<std::uint64_t>(every), round = turn / blocks, place = turn % blocks;
  const auto start = static_cast<std::size_t>(std::max<std::int64_t>(0, config.start_block));
  if (config.switch_mode == "fixed") return start;
  if (config.switch_mode == "ascending") return (start + place) % blocks;
  if (config.switch_mode == "descending") {
    const std::size_t first = config.start_block >= 0 ? start : blocks - 1;
    return (first + blocks - place) % blocks;
  }
  std::vector<std::size_t> order(blocks);
  std::iota(order.begin(), order.end(), std::size_t{0});
  PhiloxSequence random(philox_key(seed, round, kBlockOrderSample), Stream::shuffle);
  for (auto left = static_cast<std::uint32_t>(blocks); left > 1; --left)
    std::swap(order[left - 1], order[random.below(left)]);
  if (round == 0 && config.start_block >= 0) std::swap(order[0], *std::find(order.begin(), order.end(), start));
  return order[place];
}

}  // namespace frugal
