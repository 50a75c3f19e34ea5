#include "frugal/train/run/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <random>
#include <utility>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/handed.h"
#include "frugal/base/json_text.h"
#include "frugal/base/leftovers.h"
#include "frugal/base/sha256.h"
#include "frugal/base/validate.h"
#include "frugal/train/run/crc32.h"
#include "frugal/train/run/machine.h"

namespace frugal {
namespace {

constexpr int kFormat = 2, kWithoutChecksum = 1;
constexpr const char *kRecord = "run.json", *kLock = "lock";
constexpr const char* kFix = "give the folder that --out named";
constexpr std::uint64_t kMostRecord = 64 << 20;  // bytes

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// A name that no other run has.
std::string new_id() {
  std::random_device device;
  char text[17];
  std::snprintf(text, sizeof text, "%08x%08x", device(), device());
  return text;
}

std::string shortened(const Json& checksum) {
  return checksum.is_string() ? checksum.get<std::string>().substr(0, 12) + "..." : checksum.dump();
}

[[noreturn]] void refuse(const std::filesystem::path& run, const std::string& why) {
  throw Error(Exit::input, (run / kRecord).string() + " is not the record of a run: " + why, kFix);
}

// `key` of `object` is of that kind where it is there. in: "base." for the message.
void require_kind(const std::filesystem::path& run, const Json& object, const std::string& key, Json::value_t kind,
                  const std::string& in = "") {
  const auto found = object.find(key);
  if (found == object.end() || found->type() == kind) return;
  refuse(run, "its \"" + in + key + "\" is " + found->type_name() + ", expected " + Json(kind).type_name());
}

// SHA-256 of the record as it is written, but for the checksum itself.
std::string checksum_of(Json record) {
  record["checksum"] = "";
  Sha256 sha;
  const std::string text = record.dump(-1, ' ', false, Json::error_handler_t::replace);
  sha.update(text.data(), text.size());
  return sha.hex();
}

// Files a killed process was still writing; the caller holds the lock.
void remove_unfinished(const std::filesystem::path& folder) {
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
    const std::string name = entry.path().filename().string();
    const std::size_t mark = name.rfind(".tmp-");
    if (mark == std::string::npos || name.find_first_not_of("0123456789", mark + 5) != std::string::npos) continue;
    std::error_code kept;
    if (entry.symlink_status().type() == std::filesystem::file_type::regular)
      std::filesystem::remove(entry.path(), kept);
  }
}

}  // namespace

const char* name(RunStatus status) {
  switch (status) {
    case RunStatus::running:
      return "running";
    case RunStatus::done:
      return "done";
    case RunStatus::interrupted:
      return "interrupted";
    case RunStatus::diverged:
      return "diverged";
  }
  return "";
}

RunFolder RunFolder::create(const std::filesystem::path& path, const Json& description) {
  namespace fs = std::filesystem;
  RunFolder run(path);
  const auto refuse_run = [&] {
    throw Error(Exit::input, path.string() + " holds another run",
                "go on with it by --resume " + path.string() + ", or choose another --out");
  };
  std::error_code error;
  if (fs::exists(path, error)) {
    if (!fs::is_directory(path))
      throw Error(Exit::input, path.string() + " is a file, expected a folder to be made", "choose another --out");
    if (fs::exists(path / kRecord)) refuse_run();
    if (!is_unused_folder(path))
      throw Error(Exit::input, path.string() + " is a folder that is not empty", "choose another --out");
  } else {
    for (auto at = fs::absolute(path).lexically_normal(); !at.empty() && !fs::exists(at); at = at.parent_path())
      run.made_.insert(run.made_.begin(), at);
    fs::create_directories(path, error);
    if (error)
      throw Error(Exit::input, "cannot create " + path.string() + ": " + error.message(),
                  "choose another --out, or check that you may write there");
  }
  run.on_trial_ = true;
  run.lock();
  if (fs::exists(path / kRecord)) {  // another process was faster
    run.on_trial_ = false;
    refuse_run();
  }
  run.record_ = {{"format", kFormat}, {"checksum", ""}, {"id", new_id()}, {"created", utc_now()}};
  run.record_.update(description);
  run.record_["machine"] = machine_record();
  run.set_status(RunStatus::running);
  for (const fs::path& made : run.made_) sync_folder(made.parent_path());
  return run;
}

Json RunFolder::read_untrusted(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path / kRecord))
    throw Error(Exit::input, path.string() + " is not a run: it has no run.json", kFix);
  const std::string text = read_file(path / kRecord, kMostRecord);
  if (is_too_deep(text)) refuse(path, "it is nested more than " + std::to_string(kDeepestJson) + " levels deep");
  Json record = json_of(text);
  if (!record.is_object()) refuse(path, "it is no JSON object");
  if (!record.contains("format") || !record["format"].is_number_integer())
    refuse(path, "it has no \"format\" that is a whole number");
  if (record["format"] < kWithoutChecksum) refuse(path, "its \"format\" is " + record["format"].dump());
  if (record["format"] > kFormat) {
    throw Error(
        Exit::input,
        path.string() + " has format " + record["format"].dump() + ", this program knows " + std::to_string(kFormat),
        "use the version of frugal that wrote it, or a newer one");
  }
  return record;
}

bool RunFolder::is_whole(const Json& record) {
  if (record.value("format", kFormat) == kWithoutChecksum) return !record.contains("checksum");
  const auto found = record.find("checksum");
  return found != record.end() && found->is_string() && *found == checksum_of(record);
}

Json RunFolder::read_record(const std::filesystem::path& path, Damage damage) {
  Json record = read_untrusted(path);
  if (damage == Damage::refused && !is_whole(record)) {
    const auto said = record.find("checksum");
    throw Error(
        Exit::input,
        (path / kRecord).string() + " is damaged or was edited: its checksum is " +
            (said == record.end() ? "missing" : shortened(*said)) + ", that of its content " +
            shortened(checksum_of(record)),
        "copy the run again; or, if what it says is right, go on with --resume " + path.string() + " --trust-damaged");
  }
  if (!record.contains("settings")) refuse(path, "it has no \"settings\"");
  for (const auto* key : {"action", "status", "weights_sha256"}) require_kind(path, record, key, Json::value_t::string);
  for (const auto* key : {"settings", "results", "files", "base"})
    require_kind(path, record, key, Json::value_t::object);
  const auto require_texts = [&](const std::string& name, const Json& file) {
    for (const auto* key : {"path", "sha256"}) require_kind(path, file, key, Json::value_t::string, name + ".");
  };
  if (record.contains("base")) require_texts("base", record["base"]);
  require_kind(path, record, "legs", Json::value_t::array);
  for (const Json& leg : record.value("legs", Json::array())) {
    const bool is_leg = leg.is_object() && leg.contains("from") && leg["from"].is_number_unsigned() &&
                        leg["from"] < std::uint64_t{1} << 40 && leg.contains("settings") &&
                        leg["settings"].is_object() && leg.contains("settings_sha256") &&
                        leg["settings_sha256"].is_string();
    if (!is_leg) refuse(path, "one of its \"legs\" is " + leg.dump().substr(0, 80));
  }
  if (record.contains("files")) {
    for (const auto& [name, file] : record["files"].items()) {
      require_kind(path, record["files"], name, Json::value_t::object, "files.");
      require_texts("files." + name, file);
    }
  }
  handed().record = path.string();
  return record;
}

void RunFolder::require_files(const Json& record) {
  const Json files = record.value("files", Json::object());
  for (const auto& [name, file] : files.items()) {
    const std::string path = file.value("path", ""), sha256 = file.value("sha256", "");
    if (sha256 == sha256_file(path)) continue;
    throw Error(Exit::input, path + " is not the " + name + " the run began with (" + sha256.substr(0, 12) + "...)",
                "put the file back, or start a new run with --out");
  }
}

// A link in a run's folder would let it write elsewhere.
void RunFolder::require_own_files(const std::filesystem::path& path) {
  for (const char* part : {kRecord, kLock, "events.jsonl", "trajectory.bin", "reference.frugal", "teacher.bin",
                           "snapshots", "report.html", "compare.html", "sweep.csv", "cells"}) {
    std::error_code failed;
    if (std::filesystem::is_symlink(path / part, failed))
      throw Error(Exit::input, (path / part).string() + " is a link, and a run writes into its own folder alone",
                  "put what it leads to in its place, or remove it");
  }
}

RunFolder RunFolder::resume(const std::filesystem::path& path, Damage damage) {
  RunFolder run(path);
  require_own_files(path);
  read_record(path, damage);  // so that a folder that is no run gets no lock file
  run.lock();
  remove_unfinished(run.path_);
  remove_unfinished(run.snapshots());
  run.record_ = read_record(path, damage);
  if (run.record_.contains("checksum")) run.record_["format"] = kFormat;  // where that is what was damaged
  return run;
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)),
      record_(std::move(other.record_)),
      lock_(std::exchange(other.lock_, -1)),
      on_trial_(std::exchange(other.on_trial_, false)),
      made_(std::move(other.made_)) {}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (on_trial_) {
    for (const char* part : {kRecord, "events.jsonl", "trajectory.bin", "reference.frugal", "snapshots", kLock})
      std::filesystem::remove_all(path_ / part, ignored);
    for (auto at = made_.rbegin(); at != made_.rend(); ++at) std::filesystem::remove(*at, ignored);
  }
  if (lock_ >= 0) ::close(lock_);
}

void RunFolder::lock() {
  const auto path = path_ / kLock;
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (lock_ < 0) {
    throw Error(Exit::input, "cannot create " + path.string() + ": " + std::strerror(errno),
                "check that you may write to the run's folder");
  }
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) {
    const std::string id = std::to_string(::getpid());
    if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, id.data(), id.size(), 0) < 0) {
    }  // only for the message below
    return;
  }
  char id[16] = {};
  if (::pread(lock_, id, sizeof id - 1, 0) <= 0) id[0] = '?';
  on_trial_ = false;  // it is the other process's
  throw Error(Exit::input, path_.string() + " is being written by process " + id, "wait until it ends, or stop it");
}

bool RunFolder::has_checksums() const { return record_.value("format", kFormat) != kWithoutChecksum; }

std::uint32_t RunFolder::chain_start(const Json& record) {
  const Json id = record.value("id", Json());  // runs of before have none
  if (!id.is_string()) return 0;
  const auto& text = id.get_ref<const std::string&>();
  return crc32(text.data(), text.size());
}

void RunFolder::require_there() const {
  struct stat held {
  }, there{};
  if (::fstat(lock_, &held) == 0 && ::stat((path_ / kLock).c_str(), &there) == 0 && held.st_dev == there.st_dev &&
      held.st_ino == there.st_ino)
    return;
  throw Error(Exit::input, path_.string() + " was removed or replaced while the run was writing to it",
              "start a new run, and leave its folder alone until it ends");
}

void RunFolder::write() {
  require_there();
  if (has_checksums()) record_["checksum"] = checksum_of(record_);
  write_file(path_ / kRecord, record_.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void RunFolder::keep() { on_trial_ = false; }

void RunFolder::set(std::string_view key, Json value) {
  record_[std::string(key)] = std::move(value);
  write();
}

void RunFolder::begin_leg(const Json& settings, const Json& legs) {
  record_["settings"] = settings;
  record_["legs"] = legs;
  set_status(RunStatus::running);
}

void RunFolder::set_status(RunStatus status) {
  record_.erase("results");
  record_.erase("weights_sha256");
  record_["updated"] = utc_now();
  set("status", name(status));
}

void RunFolder::finish(RunStatus status, const Json& results, const std::string& weights_sha256) {
  record_["status"] = name(status);
  record_["updated"] = utc_now();
  record_.erase("results");
  record_.erase("weights_sha256");
  record_["results"] = results;
  if (weights_sha256.empty()) return write();
  set("weights_sha256", weights_sha256);
}

void RunFolder::require_base(const std::string& found) const {
  const std::string began = record_.value("base", Json::object()).value("sha256", std::string());
  if (found == began) return;
  throw Error(Exit::input,
              "the base model changed: " + path_.string() + " began with SHA-256 " + began + ", now it is " + found,
              "give the model file the run began with, or start a new run with another --out");
}

}  // namespace frugal
