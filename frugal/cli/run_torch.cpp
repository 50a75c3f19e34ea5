#include "frugal/cli/run_torch.h"

#include <dlfcn.h>
#include <malloc.h>

#include <cstdlib>

#include "frugal/base/error.h"

namespace frugal {
namespace {

constexpr const char* kLibrary = "libfrugal_torch.so";

void* open_library() {
  const auto path = torch_library();
  if (path.empty()) {
    throw Error(Exit::internal, std::string(kLibrary) + " is neither beside the program nor in ../lib",
                "build it with make build");
  }
  for (const char* name : {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}) ::setenv(name, "1", 1);
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::malloc_trim(0);  // what reading headers and data left behind does not count against the budget
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw Error(Exit::internal, "cannot load " + path.string() + ": " + ::dlerror(),
                "check that LibTorch is where it was at build time, or run make build");
  }
  return library;
}

}  // namespace

std::filesystem::path torch_library() {
  if (const char* path = std::getenv("FRUGAL_TORCH_LIBRARY")) return path;
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path();
  for (const auto& folder : {program / ".." / "lib", program}) {
    if (std::filesystem::exists(folder / kLibrary, failed)) return (folder / kLibrary).lexically_normal();
  }
  return {};
}

void load_torch_library() { open_library(); }

int run_torch(std::string_view verb, const Json& settings) {
  void* library = open_library();
  using Run = int (*)(const char*, const char*);
  const auto run = reinterpret_cast<Run>(::dlsym(library, "frugal_torch_run"));
  if (run == nullptr)
    throw Error(Exit::internal, torch_library().string() + " has no frugal_torch_run",
                "build program and library together: make build");
  return run(std::string(verb).c_str(), settings.dump().c_str());
}

}  // namespace frugal
