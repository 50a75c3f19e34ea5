#include "frugal/plan/machine_rates.h"

#include <cmath>
#include <cstdlib>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json_text.h"
#include "frugal/base/processor.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

struct NamedRate {
  const char* name;
  double MachineRates::*rate;
};
constexpr NamedRate kRates[] = {{"f32_flops", &MachineRates::f32_flops},
                                {"bf16_flops", &MachineRates::bf16_flops},
                                {"panel_weights", &MachineRates::panel_weights},
                                {"plain_weights", &MachineRates::plain_weights},
                                {"update_weights", &MachineRates::update_weights}};

// Whether `stored` holds rates of this processor; takes them.
bool take(const Json& stored, MachineRates& rates) {
  if (!stored.is_object() || !stored.contains("processor") || stored["processor"] != processor_name()) return false;
  MachineRates found;
  for (const auto& [name, rate] : kRates) {
    if (!stored.contains(name) || !stored[name].is_number()) return false;
    found.*rate = stored[name].get<double>();
    if (!std::isfinite(found.*rate) || found.*rate <= 0) return false;
  }
  rates = found;
  return true;
}

}  // namespace

MachineRates machine_rates() {
  MachineRates rates;
  if (has_processor_flag("amx_bf16")) rates.bf16_flops = 300e9;
  std::error_code failed;
  const fs::path file = rates_file();
  if (file.empty() || !fs::is_regular_file(file, failed)) return rates;
  try {
    take(json_of(read_file(file, kMostSettings)), rates);
  } catch (const Error&) {  // an estimate is no reason to refuse anything
  }
  return rates;
}

fs::path rates_file() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fs::path(cache) / "frugal" / "rates.json";
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? fs::path(home) / ".cache" / "frugal" / "rates.json" : fs::path();
}

Json rates_json(const MachineRates& rates) {
  Json json = {{"processor", processor_name()}};
  for (const auto& [name, rate] : kRates) json[name] = rates.*rate;
  return json;
}

void store_rates(const MachineRates& rates) {
  const fs::path file = rates_file();
  if (file.empty()) {
    throw Error(Exit::input, "there is no place for the rates: neither XDG_CACHE_HOME nor HOME is an absolute path",
                "set HOME, or XDG_CACHE_HOME");
  }
  std::error_code failed;
  fs::create_directories(file.parent_path(), failed);
  write_file(file, rates_json(rates).dump(2) + "\n");
}

}  // namespace frugal
