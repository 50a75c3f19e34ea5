// What appears under its name only when it is whole lies meanwhile in NAME.tmp-<pid>, which its writer holds a lock on
// (flock): what nobody holds was left by a process that was killed.
#pragma once
#include <filesystem>

namespace frugal {

std::filesystem::path temporary_of(const std::filesystem::path& target);  // of this process
// Takes the lock on an open temporary file or folder. False: somebody has removed it as a leftover, make it anew. A
// file system without locks has none.
bool hold_temporary(int file);
// Removes the temporaries of `target` that no living process holds.
void remove_leftovers(const std::filesystem::path& target);
// Makes a rename in `folder` outlast a power cut, where the file system can.
void sync_folder(const std::filesystem::path& folder);

}  // namespace frugal
