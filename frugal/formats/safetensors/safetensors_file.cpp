#include "frugal/formats/safetensors/safetensors_file.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/formats/names.h"

namespace frugal {
namespace {

constexpr std::uint64_t kMostHeader = 100'000'000, kMostTensors = 1 << 16;

std::uint64_t dtype_bytes(const std::string& dtype) {  // 0: unknown
  constexpr std::pair<const char*, std::uint64_t> sizes[] = {
      {"F64", 8}, {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4},  {"U32", 4},     {"F16", 2},    {"BF16", 2},
      {"I16", 2}, {"U16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  for (const auto& [name, size] : sizes) {
    if (dtype == name) return size;
  }
  return 0;
}

}  // namespace

std::map<std::string, SafeTensor> parse_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  const auto fail = [&](const std::string& what) {
    return Error(Exit::input, name + ": " + what, "download or convert the file again");
  };
  if (bytes.size() < 8) throw fail("this is not a safetensors file");
  std::uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  if (length > kMostHeader || length > bytes.size() - 8) {
    throw fail("the header claims " + std::to_string(length) + " bytes, the file has " + std::to_string(bytes.size()));
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data() + 8);
  // A header is two levels of objects and one of arrays. It is judged while it is parsed, into sorted keys: Json would
  // compare each key with all before it, and keep one of two tensors of the same name.
  std::unordered_set<std::string> names;
  const auto judge = [&](int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > 3 && (event == Event::object_start || event == Event::array_start))
      throw fail("the header is nested too deeply");
    if (depth == 1 && event == Event::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!names.insert(key).second) throw fail("the tensor " + printable(key) + " occurs twice");
      if (names.size() > kMostTensors)
        throw fail("the header names more than " + std::to_string(kMostTensors) + " tensors");
    }
    return true;
  };
  const auto header = nlohmann::json::parse(text, text + length, judge, false);
  if (!header.is_object()) throw fail("the header is not a JSON object");
  const auto data = bytes.subspan(8 + length);
  std::map<std::string, SafeTensor> tensors;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const auto& item : header.items()) {
    const std::string& key = item.key();
    const nlohmann::json& entry = item.value();
    if (key == "__metadata__") continue;
    if (!is_tensor_name(key)) throw fail("a tensor has the name " + printable(key));
    const auto is_list = [&](const char* field) {
      return entry.is_object() && entry.contains(field) && entry[field].is_array() &&
             std::all_of(entry[field].begin(), entry[field].end(),
                         [](const auto& v) { return v.is_number_unsigned(); });
    };
    if (!is_list("shape") || !is_list("data_offsets") || entry["data_offsets"].size() != 2 ||
        !entry.contains("dtype") || !entry["dtype"].is_string()) {
      throw fail(key + " has no dtype, shape and data_offsets");
    }
    SafeTensor tensor;
    tensor.dtype = entry["dtype"].get<std::string>();
    const std::uint64_t size = dtype_bytes(tensor.dtype);
    if (size == 0) throw fail(key + " has the dtype " + printable(tensor.dtype) + ", which this version does not know");
    std::uint64_t elements = 1;
    for (const auto& dimension : entry["shape"]) {
      const auto d = dimension.get<std::uint64_t>();
      if (d > (std::uint64_t{1} << 40) || (d != 0 && elements > (std::uint64_t{1} << 48) / d))
        throw fail(key + " has a dimension of " + std::to_string(d));
      elements *= d;
      tensor.shape.push_back(static_cast<std::int64_t>(d));
    }
    const auto begin = entry["data_offsets"][0].get<std::uint64_t>(),
               end = entry["data_offsets"][1].get<std::uint64_t>();
    if (begin > end || end > data.size()) {
      throw fail(key + " lies at [" + std::to_string(begin) + ", " + std::to_string(end) + "), outside the data's " +
                 std::to_string(data.size()) + " bytes");
    }
    if (end - begin != elements * size) {
      throw fail(key + " has " + std::to_string(end - begin) + " bytes, its shape needs " +
                 std::to_string(elements * size));
    }
    tensor.data = data.subspan(begin, end - begin);
    if (begin != end) ranges.emplace_back(begin, end);
    tensors.emplace(key, std::move(tensor));
  }
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second)
      throw fail("two tensors overlap at byte " + std::to_string(ranges[i].first));
  }
  return tensors;
}

std::string make_safetensors_header(const std::vector<SafeTensorHeader>& tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t at = 0;
  for (const SafeTensorHeader& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {at, at + tensor.bytes}}};
    at += tensor.bytes;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + text;
}

}  // namespace frugal
