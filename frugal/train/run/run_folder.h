// The folder of a run: run.json (what was asked, with what, on what, and how it ended; its checksum is that of all else
// in it), events.jsonl, trajectory.bin, snapshots/; reference.frugal, what the loss needs of the model the run began
// with; teacher.bin, what a teacher says of the examples. One process at a time writes to it.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/json.h"

namespace frugal {

enum class RunStatus { running, done, interrupted, diverged };
const char* name(RunStatus status);

// Whether a record whose checksum does not agree is refused, or believed: somebody has looked at it.
enum class Damage { refused, trusted };

class RunFolder {
 public:
  // A new run. description: {"settings", "base", "data", ...}, put into run.json with version, time, machine and status
  // "running". Until keep() the folder is on trial: the destructor removes what create made, so a refused run leaves
  // nothing. Error(Exit::input): the folder holds something, or another process is at it.
  static RunFolder create(const std::filesystem::path& path, const Json& description);
  // A run there is. Error(Exit::input): not a run, of a newer version, damaged, or another process is at it.
  static RunFolder resume(const std::filesystem::path& path, Damage damage = Damage::refused);
  // run.json alone, without the lock, for readers. Same errors less the last, and the file is of another kind or size
  // than a record, or one of the fields that a run needs to go on, replay or be repeated (settings among them): named.
  static Json read_record(const std::filesystem::path& path, Damage damage = Damage::refused);
  // The same for readers that trust no field: nothing but the format is checked.
  static Json read_untrusted(const std::filesystem::path& path);
  // Whether what a record holds is what was written; a record of before there were checksums (format 1) is.
  static bool is_whole(const Json& record);
  // Error(Exit::input): one of the files that a run and its page write there is a link.
  static void require_own_files(const std::filesystem::path& path);
  // Every file that a record names is still what the run began with. Error(Exit::input): one is not, or cannot be read.
  static void require_files(const Json& record);

  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();

  void keep();  // the run has begun
  // Error(Exit::input): the folder was removed or replaced while the run was at it.
  void require_there() const;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path trajectory() const { return path_ / "trajectory.bin"; }
  std::filesystem::path events() const { return path_ / "events.jsonl"; }
  std::filesystem::path reference() const { return path_ / "reference.frugal"; }
  std::filesystem::path teacher() const { return path_ / "teacher.bin"; }
  std::filesystem::path snapshots() const { return path_ / "snapshots"; }

  // Lines of events.jsonl have checksums.
  bool has_checksums() const;
  // Where their chain begins: with the run's name, so that the lines of another run are none of this one's.
  static std::uint32_t chain_start(const Json& record);
  // run.json as it stands. set() writes the file anew, whole or not at all.
  const Json& record() const { return record_; }
  void set(std::string_view key, Json value);
  // The run is running again, with these settings, whatever it ended with.
  void begin_leg(const Json& settings, const Json& legs);
  void set_status(RunStatus status);
  // The end of a run: status, "results", and of a run that trained weights "weights_sha256" as the last key.
  void finish(RunStatus status, const Json& results, const std::string& weights_sha256);

  // Error(Exit::input) with both when `found`, SHA-256 of the base given now, is not record()["base"]["sha256"].
  void require_base(const std::string& found) const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  void lock();
  void write();
  std::filesystem::path path_;
  Json record_;
  int lock_ = -1;
  bool on_trial_ = false;
  std::vector<std::filesystem::path> made_;  // folders that were not there, outermost first
};

}  // namespace frugal
