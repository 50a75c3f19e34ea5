// What appears under its name only when it is whole lies meanwhile in NAME.tmp-<pid>, which its writer holds a lock on
// (flock): what nobody holds was left by a process that was killed.
#pragma once
#include <filesystem>

namespace frugal {

std::filesystem::path temporary_of(const std::filesystem::path& target);  // of this process
// Takes the lock on the open temporary file or folder of that name. False: somebody has removed it as a leftover, make
// it anew. A file system without locks has none. Error(Exit::input): another process, of another machine or container,
// is writing it.
bool hold_temporary(int file, const std::filesystem::path& temporary);
enum class Leftover { file, folder };
// Removes the temporaries of `target` of that kind, of this user, that no living process holds.
void remove_leftovers(const std::filesystem::path& target, Leftover kind);
// Makes a rename in `folder` outlast a power cut, where the file system can.
void sync_folder(const std::filesystem::path& folder);

}  // namespace frugal
