#include "frugal/base/atomic_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/leftovers.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// "a/b/" names the folder b in a, as "a/b" does.
fs::path without_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

}  // namespace

AtomicFolder::AtomicFolder(const fs::path& path)
    : path_(follow_links(without_slash(path))), temporary_(temporary_of(path_)) {
  std::error_code error;
  if (fs::exists(path_) && !(fs::is_directory(path_) && fs::is_empty(path_))) {
    throw Error(Exit::input, path_.string() + " exists and is not an empty folder",
                "choose another --out, or remove it first");
  }
  for (auto at = fs::absolute(path_).lexically_normal().parent_path(); !at.empty() && !fs::exists(at, error);
       at = at.parent_path()) {
    made_.push_back(at);
  }
  remove_leftovers(path_, Leftover::folder);
  do {
    if (lock_ >= 0) ::close(lock_);
    fs::create_directories(temporary_, error);
    if (error)
      throw Error(Exit::input, "cannot create " + path_.string() + ": " + error.message(),
                  "check that you may write there");
    lock_ = ::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } while (lock_ >= 0 && !hold_temporary(lock_, temporary_));
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!committed_) {
    fs::remove_all(temporary_, ignored);
    for (const fs::path& folder : made_) fs::remove(folder, ignored);
  }
  if (lock_ >= 0) ::close(lock_);
}

void AtomicFolder::commit() {
  std::error_code error;
  fs::remove(path_, error);
  fs::rename(temporary_, path_, error);
  if (error)
    throw Error(Exit::input, "cannot rename to " + path_.string() + ": " + error.message(),
                "check that you may write there");
  committed_ = true;
  sync_folder(path_.parent_path());
}

}  // namespace frugal
