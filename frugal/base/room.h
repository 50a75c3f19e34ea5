// The door to a room's library that computes with LibTorch: opened by what computes, after everything that can be
// refused without it has been.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "frugal/base/json.h"

namespace frugal {

// Kernels of bf16 products that LibTorch keeps in a room, the latest ones, one for each shape: as many as a step of a
// model takes whose layers are all of other sizes. By itself it keeps a thousand.
inline constexpr int kKeptKernels = 256;

// Loads lib<library>.so and calls its `int frugal_room_run(const char* action, const Json* request, Handed*)`,
// which prints results and errors itself and returns the exit code; it gets what this process keeps in handed(), too.
// action: "swarm evaluate". Waiting threads sleep
// (OMP_WAIT_POLICY=passive). Error(Exit::internal) when the library is not there or does not load.
int run_in_room(std::string_view library, std::string_view action, const Json& request);

// The library of a folder: "frugal_torch" for tune and verbs, "frugal_<room>" for the others.
std::string library_of(std::string_view folder);

// ../lib or beside the program; of frugal_torch FRUGAL_TORCH_LIBRARY before both. Empty: it is not there.
std::filesystem::path library_path(std::string_view library);
void load_room(std::string_view library);  // for doctor
void keep_kernels(int most);               // in a room, before its first product

}  // namespace frugal
