#include "frugal/base/room.h"

#include <dlfcn.h>
#include <malloc.h>

#include <cstdlib>

#include "frugal/base/error.h"
#include "frugal/base/handed.h"

namespace frugal {
namespace {

void* open_library(std::string_view library) {
  const auto path = library_path(library);
  if (path.empty()) {
    throw Error(Exit::internal, "lib" + std::string(library) + ".so is neither beside the program nor in ../lib",
                "build it with make build");
  }
  for (const char* name : {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}) ::setenv(name, "1", 1);
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  keep_kernels(kKeptKernels);
  ::malloc_trim(0);  // what reading headers and data left behind does not count against the budget
  void* opened = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    const std::string why = ::dlerror();
    const bool is_short = why.find("failed to map") != std::string::npos;
    if (is_short)
      throw Error(
          Exit::budget, "cannot load " + path.string() + ": " + why,
          "ulimit -v unlimited: it needs half a gigabyte of address space and more; --memory limits what is used");
    if (const char* given = std::getenv("FRUGAL_TORCH_LIBRARY"); given != nullptr && path == given)
      throw Error(Exit::input, "cannot load " + path.string() + ": " + why,
                  "unset FRUGAL_TORCH_LIBRARY, or set it to the libfrugal_torch.so that was built with the program");
    throw Error(Exit::internal, "cannot load " + path.string() + ": " + why,
                "check that LibTorch is where it was at build time, or run make build");
  }
  return opened;
}

}  // namespace

std::string library_of(std::string_view folder) {
  const std::string room(folder.substr(0, folder.find('/')));
  return room == "verbs" || room == "tune" || room == "cli" ? "frugal_torch" : "frugal_" + room;
}

std::filesystem::path library_path(std::string_view library) {
  if (const char* path = std::getenv("FRUGAL_TORCH_LIBRARY"); path != nullptr && library == "frugal_torch") return path;
  const std::string file = "lib" + std::string(library) + ".so";
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path();
  for (const auto& folder : {program / ".." / "lib", program}) {
    if (std::filesystem::exists(folder / file, failed)) return (folder / file).lexically_normal();
  }
  return {};
}

// oneDNN has a cache of them, and what of LibTorch calls it another one of their descriptions.
void keep_kernels(int most) {
  for (const char* name : {"ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"})
    ::setenv(name, std::to_string(most).c_str(), 1);
}

void load_room(std::string_view library) { open_library(library); }

int run_in_room(std::string_view library, std::string_view action, const Json& request) {
  void* opened = open_library(library);
  using Run = int (*)(const char*, const Json*, Handed*);
  const auto run = reinterpret_cast<Run>(::dlsym(opened, "frugal_room_run"));
  if (run == nullptr)
    throw Error(Exit::internal, library_path(library).string() + " has no frugal_room_run",
                "build program and library together: make build");
  return run(std::string(action).c_str(), &request, &handed());
}

}  // namespace frugal
