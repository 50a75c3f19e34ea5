#include "frugal/cli/doctor/version.h"

#include <link.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "frugal/base/atomic_file.h"
#include "frugal/base/machine_memory.h"
#include "frugal/base/output_config.h"
#include "frugal/base/print.h"
#include "frugal/base/processor.h"
#include "frugal/base/room.h"
#include "frugal/base/system.h"
#include "frugal/base/units.h"
#include "frugal/core/kernels/kernels.h"
#include "frugal/formats/model_source.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibrary = "frugal_torch";

struct DoctorConfig {
  std::string calibrate;
  OutputConfig output;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "calibrate",
       .help = "a model to measure this machine with (half a minute, alone on it): plans then give its seconds",
       .group = "budget"},
      c.calibrate);
    OutputConfig::fields(c.output, v);
  }
};

// Where the loaded LibTorch lies, and the version it says it has.
Json torch_report() {
  Json report = {{"library", library_path(kLibrary).string()}};
  try {
    load_room(kLibrary);
  } catch (const Error& error) {
    report["error"] = error.what();
    report["fix"] = error.fix();
    return report;
  }
  std::string path;
  ::dl_iterate_phdr(
      [](struct dl_phdr_info* info, std::size_t, void* out) {
        const std::string name = info->dlpi_name;
        if (name.find("libtorch_cpu.so") == std::string::npos) return 0;
        *static_cast<std::string*>(out) = name;
        return 1;
      },
      &path);
  report["path"] = path;
  const fs::path root = fs::path(path).parent_path().parent_path();
  std::error_code failed;
  if (fs::exists(root / "build-version", failed)) {  // LibTorch archives
    const std::string text = read_file(root / "build-version");
    report["version"] = text.substr(0, text.find_first_of(" \r\n"));
  } else if (fs::exists(root / "version.py", failed)) {  // Python wheels: __version__ = '2.13.0+cpu'
    const std::string text = read_file(root / "version.py");
    const std::size_t at = text.find("__version__ = '");
    if (at != std::string::npos) report["version"] = text.substr(at + 15, text.find('\'', at + 15) - at - 15);
  }
  return report;
}

Json examine() {
  struct sysinfo memory {};
  ::sysinfo(&memory);
  std::error_code failed;
  return {{"version", version()},
          {"compiler", compiler()},
          {"processor", processor_name()},
          {"cores", usable_cores()},
          {"instruction_set", kernels::isa()},
          {"instruction_sets", kernels::isa_available()},
          {"avx512_bf16", has_processor_flag("avx512_bf16")},
          {"amx_bf16", has_processor_flag("amx_bf16")},
          {"bf16_products", computes_in_bf16()},
          {"memory_bytes", std::uint64_t{memory.totalram} * memory.mem_unit},
          {"available_bytes", available_memory()},
          {"disk_free_bytes", fs::space(".", failed).available},
          {"torch", torch_report()}};
}

int doctor(const DoctorConfig& config) {
  if (!config.calibrate.empty()) {
    const auto model = ModelSource::open(config.calibrate);  // refused here when it is none
    return run_in_room(kLibrary, "doctor calibrate",
                       {{"settings", {{"model", config.calibrate}, {"json", config.output.json}, {"quiet", true}}}});
  }
  Json report = examine();
  if (report["torch"].contains("error")) {
    report.update({{"error", report["torch"]["error"]},
                   {"fix", report["torch"]["fix"]},
                   {"exit", static_cast<int>(Exit::input)}});
  }
  const Json& torch = report["torch"];
  if (config.output.json) {
    print_json(report);
  } else {
    const auto text = [&](const char* key) { return report[key].get<std::string>(); };
    const auto size = [&](const char* key) { return format_bytes(report[key].get<std::uint64_t>()); };
    const auto yes = [&](const char* key) { return std::string(report[key].get<bool>() ? "yes" : "no"); };
    std::cout << table(
        {{"frugal", text("version") + ", built with " + text("compiler")},
         {"processor", text("processor") + ", " + std::to_string(report["cores"].get<std::int64_t>()) + " cores"},
         {"kernels", text("instruction_set")},
         {"bf16 products",
          yes("bf16_products") + " (AVX512-BF16 " + yes("avx512_bf16") + ", AMX " + yes("amx_bf16") + ")"},
         {"memory", size("memory_bytes") + ", " + size("available_bytes") + " available"},
         {"disk here", size("disk_free_bytes") + " free"},
         {"LibTorch", torch.contains("error")
                          ? "not usable"
                          : torch.value("version", "version unknown") + " in " + torch.value("path", "")}});
  }
  if (!torch.contains("error")) return 0;
  if (config.output.json) return static_cast<int>(Exit::input);
  std::cout.flush();
  throw Error(Exit::input, torch["error"].get<std::string>(), torch["fix"].get<std::string>());
}

}  // namespace

std::string version() { return FRUGAL_VERSION; }
std::string compiler() { return FRUGAL_COMPILER; }

void register_cli_doctor(SystemTable& table) {
  Action examine{.name = "", .summary = "what there is", .fields = describe_fields<DoctorConfig>()};
  examine.run = [](const Settings& settings) { return doctor(from_json<DoctorConfig>(settings.values())); };
  table.add({.name = "doctor",
             .summary = "what this machine has: cores, memory, instruction sets, LibTorch",
             .group = "frugal",
             .examples = {"frugal doctor", "frugal doctor --json", "frugal doctor --calibrate model.gguf"},
             .actions = {examine}});
}

}  // namespace frugal
