#include "frugal/formats/export_dtype.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {
namespace {

constexpr ExportDtype kDtypes[] = {
    {"bf16", "BF16", "bfloat16", 32},
    {"f16", "F16", "float16", 1},
    {"f32", "F32", "float32", 0},
    {"q8_0", "Q8_0", "", 7},
    {"q6_k", "Q6_K", "", 18},
    {"q5_k_m", "Q5_K", "", 17, Mix::medium},
    {"q5_k_s", "Q5_K", "", 16, Mix::small},
    {"q5_1", "Q5_1", "", 9},
    {"q5_0", "Q5_0", "", 8},
    {"q4_k_m", "Q4_K", "", 15, Mix::medium},
    {"q4_k_s", "Q4_K", "", 14, Mix::small},
    {"q4_1", "Q4_1", "", 3},
    {"q4_0", "Q4_0", "", 2},
};

}  // namespace

std::span<const ExportDtype> export_dtypes() { return kDtypes; }

std::vector<std::string_view> export_dtype_names() {
  std::vector<std::string_view> names;
  for (const ExportDtype& dtype : kDtypes) names.push_back(dtype.name);
  return names;
}

std::string export_dtype_text(bool plain_alone) {
  std::vector<std::string_view> names;
  for (const ExportDtype& dtype : kDtypes) {
    if (dtype.is_plain() || !plain_alone) names.push_back(dtype.name);
  }
  std::string text;
  for (const std::string_view name : names)
    text += (text.empty() ? "" : name == names.back() ? " or " : ", ") + std::string(name);
  return text;
}

const ExportDtype& find_export_dtype(std::string_view name, bool plain_alone, const std::string& out) {
  for (const ExportDtype& dtype : kDtypes) {
    if (dtype.name != name) continue;
    if (dtype.is_plain() || !plain_alone) return dtype;
    throw Error(Exit::usage, "--dtype is " + std::string(name) + ", but " + out + " holds floats alone",
                "choose " + export_dtype_text(true) + ", or write a GGUF file: --out NAME.gguf");
  }
  throw Error(Exit::usage, "--dtype is '" + std::string(name) + "'",
              "choose " + export_dtype_text(plain_alone) + " for " + out);
}

}  // namespace frugal
