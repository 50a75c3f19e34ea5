#include "frugal/core/kernels/isa.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>

#include "frugal/base/error.h"
#include "frugal/base/processor.h"
#include "frugal/core/kernels/kernels.h"
#include "hwy/highway.h"

namespace frugal::kernels {
namespace {

std::atomic<std::int64_t> chosen{0};

// Best first: Highway numbers better targets lower.
std::vector<std::int64_t> runnable() { return hwy::SupportedAndGeneratedTargets(); }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

void choose(const std::string& name) {
  for (const std::int64_t target : runnable()) {
    if (name.empty() || lower(name) == lower(hwy::TargetName(target))) {
      chosen = target;
      hwy::GetChosenTarget().Update(target);
      return;
    }
  }
  std::string have;
  for (const std::string& one : isa_available()) have += (have.empty() ? "" : ", ") + one;
  throw Error(Exit::usage, "instruction set '" + name + "' is not available; this processor has " + have,
              "set FRUGAL_ISA to one of these, or unset it for the best");
}

}  // namespace

void select_isa() {
  static const bool read = [] {
    const char* wish = std::getenv("FRUGAL_ISA");
    choose(wish == nullptr ? "" : wish);
    return true;
  }();
  static_cast<void>(read);
}

std::string isa() {
  select_isa();
  return hwy::TargetName(chosen);
}

std::vector<std::string> isa_available() {
  std::vector<std::string> names;
  for (const std::int64_t target : runnable()) names.emplace_back(hwy::TargetName(target));
  return names;
}

bool can_run_bf16_products() {
  static const bool has = has_processor_flag("avx512_bf16");
  return has && isa().starts_with("AVX3");
}

bool has_bf16_products() {
  static const bool has_amx = has_processor_flag("amx_bf16");
  return can_run_bf16_products() && !has_amx;
}

void force_isa(const std::string& name) {
  select_isa();  // so that FRUGAL_ISA, read later, does not undo this choice
  choose(name);
}

}  // namespace frugal::kernels
