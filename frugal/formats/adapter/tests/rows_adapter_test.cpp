// Adapters of trained rows: written and read back, and files that are broken or for another model.
#include "frugal/formats/adapter/rows_adapter.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "frugal/base/json.h"
#include "frugal/formats/adapter/tests/adapter_files.h"

namespace frugal {
namespace {

using namespace adapter_tests;

RowsAdapter small_rows(const ModelShape& shape, bool is_columns) {
  RowsAdapter adapter;
  for (const TensorSpec& spec : tensor_specs(shape)) {
    if (!spec.name.ends_with("up_proj.weight") && !spec.name.ends_with("q_proj.weight")) continue;
    TrainedLines part{spec.name, is_columns, {0, 3, 5}, {}};
    const std::int64_t each = is_columns ? spec.rows : spec.cols;
    for (std::int64_t i = 0; i < 3 * each; ++i) part.values.push_back(static_cast<float>(i % 255 - 127) / 64);
    adapter.parts.push_back(std::move(part));
  }
  return adapter;
}

class RowsFile : public testing::Test {
 protected:
  RowsFile() : shape(small_shape(true)) {
    write_rows_adapter(small_rows(shape, false), shape, folder / "rows.safetensors");
    bytes = read_file(folder / "rows.safetensors");
  }
  std::string refusal(const std::string& data) const {
    return error_of([&] { parse_rows_adapter(bytes_of(data), shape, "a"); });
  }
  template <class Edit>
  std::string with_header(Edit&& edit) const {
    std::uint64_t length;
    std::memcpy(&length, bytes.data(), 8);
    Json header = Json::parse(bytes.substr(8, length));
    edit(header);
    const std::string text = header.dump();
    const std::uint64_t size = text.size();
    return refusal(std::string(reinterpret_cast<const char*>(&size), 8) + text + bytes.substr(8 + length));
  }
  // The file with number `i` of the first tensor's indices replaced.
  std::string with_index(std::size_t i, std::int32_t value) const {
    std::uint64_t length;
    std::memcpy(&length, bytes.data(), 8);
    std::string changed = bytes;
    std::memcpy(changed.data() + 8 + length + 4 * i, &value, 4);
    return refusal(changed);
  }
  static void expect_part(const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected: " << part;
  }
  const std::string first = "model.layers.0.self_attn.q_proj.weight";
  const TemporaryFolder folder;
  ModelShape shape;
  std::string bytes;
};

TEST_F(RowsFile, ComesBackAsItWas) {
  for (const bool is_columns : {false, true}) {
    for (const char* dtype : {"f32", "f16", "bf16"}) {  // the values are exact in each
      const auto path = folder / (std::string(dtype) + (is_columns ? "c" : "r") + ".safetensors");
      const RowsAdapter written = small_rows(shape, is_columns);
      write_rows_adapter(written, shape, path, dtype);
      const RowsAdapter read = read_rows_adapter(path, shape);
      ASSERT_EQ(read.parts.size(), written.parts.size());
      for (std::size_t i = 0; i < read.parts.size(); ++i) {
        EXPECT_EQ(read.parts[i].tensor, written.parts[i].tensor);
        EXPECT_EQ(read.parts[i].is_columns, is_columns);
        EXPECT_EQ(read.parts[i].indices, written.parts[i].indices);
        EXPECT_EQ(read.parts[i].values, written.parts[i].values);
      }
      EXPECT_NE(error_of([&] { write_rows_adapter(written, shape, path, dtype); }), "no error") << "overwrites nothing";
    }
  }
}

TEST_F(RowsFile, AnotherModelsShapeIsShownWithBoth) {
  shape.hidden = 72;
  expect_part(refusal(bytes), first.substr(0, first.size()) + ".row_values has shape [3, 64], expected [3, 72]");
  shape = small_shape(true);
  shape.layers.pop_back();
  expect_part(refusal(bytes), "model.layers.1");
}

TEST_F(RowsFile, IndicesAreJudged) {
  EXPECT_EQ(with_index(1, 4), "no error");
  expect_part(with_index(1, 0), "holds 0 after 0");
  expect_part(with_index(1, 9), "holds 5 after 9");
  expect_part(with_index(0, -1), "holds -1, the model has");
  expect_part(with_index(2, 1 << 20), "holds 1048576, the model has");
}

TEST_F(RowsFile, WhatIsMissingLeftOverOrOfAnotherTypeIsNamed) {
  expect_part(with_header([&](Json& h) { h.erase(first + ".rows"); }), "no tensor " + first + ".rows");
  expect_part(with_header([&](Json& h) { h.erase(first + ".row_values"); }), "no tensor " + first + ".row_values");
  expect_part(with_header([&](Json& h) {
                h["other"] = {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
              }),
              "the tensor other");
  expect_part(with_header([&](Json& h) { h[first + ".rows"]["dtype"] = "F32"; }), "expected I32");
  expect_part(with_header([&](Json& h) { h[first + ".rows"]["shape"] = {1, 3}; }), "expected I32");
  expect_part(with_header([&](Json& h) {
                h["model.norm.weight.rows"] = h[first + ".rows"];
                h.erase(first + ".rows");
              }),
              "no tensor");
  expect_part(with_header([&](Json& h) {
                for (const char* key : {".rows", ".row_values"}) h.erase(first + key);
                h[first + ".columns"] = {{"dtype", "I32"}, {"shape", {3}}, {"data_offsets", {0, 12}}};
                h[first + ".column_values"] = {{"dtype", "I16"}, {"shape", {32, 3}}, {"data_offsets", {12, 12 + 192}}};
              }),
              "dtype I16");
  expect_part(refusal(std::string("\x02\0\0\0\0\0\0\0{}", 10)), "no trained rows");
}

TEST_F(RowsFile, ValuesThatAreNotFiniteAndTruncationsAreRefused) {
  std::string changed = bytes;
  const float bad = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(changed.data() + changed.size() - 4, &bad, 4);
  expect_part(refusal(changed), "holds nan");
  for (std::size_t size = 0; size < bytes.size(); size += size < 900 ? 1 : 61)
    EXPECT_NE(refusal(bytes.substr(0, size)), "no error") << size;
}

}  // namespace
}  // namespace frugal
