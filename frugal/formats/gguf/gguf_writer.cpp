#include "frugal/formats/gguf/gguf_writer.h"

namespace frugal {
namespace {
constexpr std::uint32_t kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kText = 8, kArray = 9;

std::uint64_t padding(std::uint64_t size) {
  return (GgufWriter::kAlignment - size % GgufWriter::kAlignment) % GgufWriter::kAlignment;
}
}  // namespace

void GgufWriter::key(std::string_view name, std::uint32_t type) {
  put_text(metadata_, name);
  put(metadata_, type);
  ++keys_;
}
void GgufWriter::set_u32(std::string_view name, std::uint32_t value) { key(name, kU32), put(metadata_, value); }
void GgufWriter::set_f32(std::string_view name, float value) { key(name, kF32), put(metadata_, value); }
void GgufWriter::set_bool(std::string_view name, bool value) {
  key(name, kBool), put(metadata_, static_cast<std::uint8_t>(value));
}
void GgufWriter::set_text(std::string_view name, std::string_view value) {
  key(name, kText), put_text(metadata_, value);
}
void GgufWriter::set_texts(std::string_view name, const std::vector<std::string>& values) {
  key(name, kArray);
  put(metadata_, kText);
  put(metadata_, static_cast<std::uint64_t>(values.size()));
  for (const std::string& value : values) put_text(metadata_, value);
}
void GgufWriter::set_i32s(std::string_view name, const std::vector<std::int32_t>& values) {
  key(name, kArray);
  put(metadata_, kI32);
  put(metadata_, static_cast<std::uint64_t>(values.size()));
  for (const std::int32_t value : values) put(metadata_, value);
}

void GgufWriter::declare(std::string_view name, const std::vector<std::int64_t>& shape, const BlockType& type) {
  put_text(headers_, name);
  put(headers_, static_cast<std::uint32_t>(shape.size()));
  std::int64_t elements = 1;
  for (const std::int64_t size : shape) put(headers_, static_cast<std::uint64_t>(size)), elements *= size;
  put(headers_, type.id);
  put(headers_, offset_);
  sizes_.push_back(static_cast<std::uint64_t>(elements / type.elements * type.bytes));
  offset_ += sizes_.back() + padding(sizes_.back());
}

void GgufWriter::write_header(AtomicFile& file) {
  std::string head = "GGUF";
  put(head, std::uint32_t{3});
  put(head, static_cast<std::uint64_t>(sizes_.size()));
  put(head, keys_);
  head += metadata_ + headers_;
  head.append(padding(head.size()), '\0');
  file.write(head);
}

void GgufWriter::write_data(AtomicFile& file, const void* bytes, std::uint64_t size) {
  file.write(bytes, size);
  written_ += size;
  if (written_ == sizes_[current_]) {
    file.write(std::string(padding(written_), '\0'));
    written_ = 0;
    ++current_;
  }
}

}  // namespace frugal
