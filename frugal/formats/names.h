// Names and shapes found in files, before they are believed.
#pragma once
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

// 1 to 256 printable ASCII characters, no blanks, no path parts: "model.layers.0.mlp.up_proj.weight".
inline bool is_tensor_name(std::string_view name) {
  if (name.empty() || name.size() > 256 || name.find("..") != std::string_view::npos) return false;
  for (const char c : name) {
    if (c <= ' ' || c > '~' || c == '/' || c == '\\') return false;
  }
  return true;
}

// How --targets names tensors: by the end of the name at a dot, ".weight" left out or not ("up_proj", "mlp.up_proj"),
// or by the whole name.
inline bool is_named_by(const std::string& name, const std::string& target) {
  return name == target || name.ends_with("." + target) || name.ends_with("." + target + ".weight");
}

// The name in quotes for a message: at most 60 characters, others than printable ASCII as '?'.
inline std::string printable(std::string_view name) {
  std::string text = "'";
  for (const char c : name.substr(0, 60)) text += c >= ' ' && c <= '~' ? c : '?';
  return text + (name.size() > 60 ? "...'" : "'");
}

inline std::string shape_text(const std::vector<std::int64_t>& shape) {  // "[96, 64]"
  std::string text = "[";
  for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

// Whether leaving a tensor of this name out makes another model of the one in the file: one of a layer that its
// configuration does not count, or a layer's bias. prefix: of layers, "model.layers.".
inline bool is_missed(std::string_view name, std::string_view prefix, std::size_t layers) {
  if (!name.starts_with(prefix)) return false;
  const std::string_view rest = name.substr(prefix.size());
  std::size_t layer = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
  if (error != std::errc() || end == rest.data() + rest.size() || *end != '.') return false;
  return layer >= layers || name.ends_with(".bias");
}

}  // namespace frugal
