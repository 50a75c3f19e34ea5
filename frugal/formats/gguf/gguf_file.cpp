#include "frugal/formats/gguf/gguf_file.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "frugal/base/error.h"
#include "frugal/formats/names.h"
#include "frugal/formats/tokenizer/utf8.h"

namespace frugal {
namespace {

constexpr std::uint64_t kMostTensors = 1 << 16, kMostKeys = 1 << 16, kMostValues = 1 << 23, kMostName = 256;

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Exit::input, name_ + ": " + what, "download or convert the file again");
  }
  std::uint64_t position() const { return at_; }
  std::uint64_t left() const { return bytes_.size() - at_; }
  std::span<const std::byte> take(std::uint64_t count) {
    if (count > left()) {
      fail("the file ends at byte " + std::to_string(bytes_.size()) + ", " + std::to_string(count) +
           " more are expected at " + std::to_string(at_));
    }
    const auto part = bytes_.subspan(at_, count);
    at_ += count;
    return part;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view view() {
    const auto bytes = take(number<std::uint64_t>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string text() { return std::string(view()); }

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
  std::uint64_t at_ = 0;
};

enum Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

Json read_scalar(Reader& in, std::uint32_t type, const std::string& key) {
  switch (type) {
    case u8:
      return in.number<std::uint8_t>();
    case i8:
      return in.number<std::int8_t>();
    case u16:
      return in.number<std::uint16_t>();
    case i16:
      return in.number<std::int16_t>();
    case u32:
      return in.number<std::uint32_t>();
    case i32:
      return in.number<std::int32_t>();
    case f32:
      return in.number<float>();
    case boolean:
      return in.number<std::uint8_t>() != 0;
    case text: {
      std::string value = in.text();
      if (valid_utf8_prefix(value) != value.size()) in.fail("metadata " + printable(key) + " is not UTF-8 text");
      return value;
    }
    case u64:
      return in.number<std::uint64_t>();
    case i64:
      return in.number<std::int64_t>();
    case f64:
      return in.number<double>();
    default:
      in.fail("metadata " + printable(key) + " has the unknown type " + std::to_string(type));
  }
}

std::uint64_t least_bytes(std::uint32_t type) {
  constexpr std::uint64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return type < std::size(sizes) ? sizes[type] : 1;
}

// The value of `key` into the metadata or the lists of `file`. False: the key was there.
bool read_value(Reader& in, const std::string& key, std::uint64_t& values_left, GgufFile& file) {
  const auto keep = [&](Json value) { return file.metadata.emplace(key, std::move(value)).second; };
  const auto type = in.number<std::uint32_t>();
  if (type != array) return keep(read_scalar(in, type, key)) && !file.lists.contains(key);
  const auto element = in.number<std::uint32_t>();
  const auto count = in.number<std::uint64_t>();
  if (element == array) in.fail("metadata " + printable(key) + " is an array of arrays");
  if (count > in.left() / least_bytes(element) || count > values_left) {
    in.fail("metadata " + printable(key) + " claims " + std::to_string(count) + " values, more than the file can hold");
  }
  values_left -= count;
  if (count > GgufFile::kLongList) {
    Reader values = in;
    const std::uint64_t begin = in.position();
    for (std::uint64_t i = 0; i < count; ++i) {
      if (element != text) {
        read_scalar(in, element, key);
      } else if (const std::string_view value = in.view(); valid_utf8_prefix(value) != value.size()) {
        in.fail("metadata " + printable(key) + " is not UTF-8 text");
      }
    }
    return file.lists.emplace(key, GgufFile::List{element, count, values.take(in.position() - begin)}).second &&
           !file.metadata.contains(key);
  }
  Json list = Json::array();
  for (std::uint64_t i = 0; i < count; ++i) list.push_back(read_scalar(in, element, key));
  return keep(std::move(list)) && !file.lists.contains(key);
}

GgufTensor read_tensor(Reader& in, std::uint64_t& offset) {
  GgufTensor tensor;
  tensor.name = in.text();
  if (!is_tensor_name(tensor.name)) in.fail("a tensor has the name " + printable(tensor.name));
  const auto dimensions = in.number<std::uint32_t>();
  if (dimensions < 1 || dimensions > 4)
    in.fail(tensor.name + " has " + std::to_string(dimensions) + " dimensions, expected 1 to 4");
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto size = in.number<std::uint64_t>();
    if (size == 0 || size > (std::uint64_t{1} << 40) || elements > (std::uint64_t{1} << 48) / size) {
      in.fail(tensor.name + " has a dimension of " + std::to_string(size));
    }
    elements *= size;
    tensor.shape.push_back(static_cast<std::int64_t>(size));
  }
  const auto type = in.number<std::uint32_t>();
  tensor.type = find_block_type(type);
  if (tensor.type == nullptr) {
    throw Error(Exit::input,
                tensor.name + " has the tensor type " + std::to_string(type) + ", which this version does not know",
                "use a file of F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K");
  }
  offset = in.number<std::uint64_t>();
  if (tensor.shape[0] % tensor.type->elements != 0) {
    in.fail(tensor.name + " has rows of " + std::to_string(tensor.shape[0]) + ", not a multiple of " +
            std::string(tensor.type->name) + "'s " + std::to_string(tensor.type->elements));
  }
  return tensor;
}

std::uint64_t byte_count(const GgufTensor& tensor) {
  std::uint64_t elements = 1;
  for (const std::int64_t size : tensor.shape) elements *= static_cast<std::uint64_t>(size);
  return elements / static_cast<std::uint64_t>(tensor.type->elements) * static_cast<std::uint64_t>(tensor.type->bytes);
}

}  // namespace

const GgufTensor* GgufFile::find(const std::string& name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const GgufTensor& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

std::vector<std::string> GgufFile::texts(const std::string& key) const {
  std::vector<std::string> values;
  if (const auto list = lists.find(key); list != lists.end() && list->second.type == text) {
    Reader in(list->second.values, key);
    values.reserve(list->second.count);
    for (std::uint64_t i = 0; i < list->second.count; ++i) values.emplace_back(in.view());
  } else if (const auto found = metadata.find(key); found != metadata.end() && found->second.is_array()) {
    for (const Json& value : found->second) {
      if (value.is_string()) values.push_back(value.get<std::string>());
    }
  }
  return values;
}

std::vector<std::int64_t> GgufFile::integers(const std::string& key) const {
  std::vector<std::int64_t> values;
  const auto add = [&](const Json& value) {
    if (value.is_number_integer()) values.push_back(value.get<std::int64_t>());
  };
  if (const auto list = lists.find(key); list != lists.end() && list->second.type != text) {
    Reader in(list->second.values, key);
    for (std::uint64_t i = 0; i < list->second.count; ++i) add(read_scalar(in, list->second.type, key));
  } else if (const auto found = metadata.find(key); found != metadata.end() && found->second.is_array()) {
    for (const Json& value : found->second) add(value);
  }
  return values;
}

GgufFile parse_gguf(std::span<const std::byte> bytes, const std::string& name) {
  Reader in(bytes, name);
  if (bytes.size() < 24 || std::memcmp(bytes.data(), "GGUF", 4) != 0) in.fail("this is not a GGUF file");
  in.take(4);
  const auto version = in.number<std::uint32_t>();
  if (version != 2 && version != 3) {
    in.fail(version > 0xffff ? "the file is big-endian"
                             : "GGUF version " + std::to_string(version) + ", expected 2 or 3");
  }
  const auto tensor_count = in.number<std::uint64_t>(), key_count = in.number<std::uint64_t>();
  if (tensor_count > kMostTensors || key_count > kMostKeys) {
    in.fail("the header claims " + std::to_string(tensor_count) + " tensors and " + std::to_string(key_count) +
            " metadata keys, at most " + std::to_string(kMostTensors) + " of each are read");
  }
  GgufFile file;
  std::uint64_t values_left = kMostValues;
  for (std::uint64_t i = 0; i < key_count; ++i) {
    std::string key = in.text();
    if (key.empty() || key.size() > kMostName)
      in.fail("a metadata key has " + std::to_string(key.size()) + " characters");
    if (!read_value(in, key, values_left, file)) in.fail("metadata " + printable(key) + " occurs twice");
  }
  std::vector<std::uint64_t> offsets(tensor_count);
  std::unordered_set<std::string> names;
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    file.tensors.push_back(read_tensor(in, offsets[i]));
    if (!names.insert(file.tensors.back().name).second)
      in.fail("the tensor " + file.tensors.back().name + " occurs twice");
  }
  std::uint64_t alignment = 32;
  if (const auto found = file.metadata.find("general.alignment"); found != file.metadata.end()) {
    if (!found->second.is_number_unsigned() || found->second.get<std::uint64_t>() == 0 ||
        found->second.get<std::uint64_t>() > 65536) {
      in.fail("general.alignment is " + found->second.dump().substr(0, 40));
    }
    alignment = found->second.get<std::uint64_t>();
  }
  const std::uint64_t data = (in.position() + alignment - 1) / alignment * alignment;
  std::vector<std::size_t> order(tensor_count);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return offsets[a] < offsets[b]; });
  std::uint64_t end = 0;
  for (const std::size_t i : order) {
    GgufTensor& tensor = file.tensors[i];
    const std::uint64_t size = byte_count(tensor);
    if (data > bytes.size() || offsets[i] > bytes.size() - data || size > bytes.size() - data - offsets[i]) {
      in.fail(tensor.name + " lies at " + std::to_string(offsets[i]) + " with " + std::to_string(size) +
              " bytes, outside the file's " + std::to_string(bytes.size()));
    }
    if (offsets[i] % alignment != 0)
      in.fail(tensor.name + " lies at " + std::to_string(offsets[i]) + ", not a multiple of " +
              std::to_string(alignment));
    if (offsets[i] < end) in.fail(tensor.name + " overlaps the tensor before it");
    end = offsets[i] + size;
    tensor.data = bytes.subspan(data + offsets[i], size);
  }
  return file;
}

}  // namespace frugal
