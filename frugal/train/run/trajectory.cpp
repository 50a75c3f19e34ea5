#include "frugal/train/run/trajectory.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json_text.h"
#include "frugal/train/run/crc32.h"

namespace frugal {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and written as they lie in memory");

constexpr char kMagic[8] = {'F', 'R', 'G', 'L', 'T', 'R', 'J', 0};
constexpr std::uint32_t kVersion = 1, kSkipped = 1;
constexpr std::size_t kFixed = sizeof kMagic + 3 * sizeof(std::uint32_t);

std::size_t record_bytes(std::uint32_t samples) { return 16 + 4 * std::size_t{samples}; }

template <class T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
T get(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

[[noreturn]] void refuse(const std::string& what, const char* fix) { throw Error(Exit::input, what, fix); }
constexpr const char* kCopyAgain = "copy trajectory.bin from the run's folder again";

std::string header_of(const Json& json, std::uint32_t samples) {
  const std::string text = json.dump();
  std::string bytes(kMagic, sizeof kMagic);
  put(bytes, kVersion);
  put(bytes, samples);
  put(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
  put(bytes, crc32(bytes.data(), bytes.size()));
  return bytes;
}

bool finite(const StepRecord& record) {
  bool all = std::isfinite(record.lr);
  for (const float g : record.gradients) all = all && std::isfinite(g);
  return all;
}

}  // namespace

std::uint64_t Trajectory::bytes_of(std::size_t count) const { return header_bytes + count * record_bytes(samples); }

void Trajectory::require_base(const std::string& weights_sha256) const {
  const std::string made_from = header.value("base_sha256", std::string());
  if (made_from == weights_sha256) return;
  refuse("the trajectory was made from weights with SHA-256 " + made_from.substr(0, 16) + ", these have " +
             weights_sha256.substr(0, 16),
         "give the model the run began with");
}

void Trajectory::require_header(const Json& expected) const {
  for (const auto& [key, value] : expected.items()) {
    const auto found = header.find(key);
    if (found == header.end() || *found == value || key.ends_with("_file")) continue;
    refuse("the trajectory was begun with " + key + " " + found->dump() + ", run.json says " + value.dump(),
           "copy the run again: one of the two is another run's, or damaged");
  }
}

Trajectory parse_trajectory(std::string_view bytes) {
  if (bytes.size() < kFixed || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) {
    refuse("not a trajectory: it does not begin with FRGLTRJ", "give the trajectory.bin of a frugal run");
  }
  const auto version = get<std::uint32_t>(bytes, 8), samples = get<std::uint32_t>(bytes, 12);
  const std::size_t length = get<std::uint32_t>(bytes, 16);
  if (version > kVersion) {
    refuse("the trajectory has version " + std::to_string(version) + ", this program reads up to " +
               std::to_string(kVersion),
           "use the version of frugal that wrote it, or a newer one");
  }
  if (length > bytes.size() - kFixed || bytes.size() - kFixed - length < sizeof(std::uint32_t)) {
    refuse("the trajectory's header takes " + std::to_string(length) + " bytes, the file has " +
               std::to_string(bytes.size()),
           kCopyAgain);
  }
  const std::size_t summed = kFixed + length;
  const auto seed = get<std::uint32_t>(bytes, summed);
  if (version == 0 || samples == 0 || samples > TrajectoryWriter::kMaxSamples || seed != crc32(bytes.data(), summed)) {
    refuse("the trajectory's header is damaged: its checksum does not agree", kCopyAgain);
  }
  Trajectory result;
  result.header = json_of(bytes.substr(kFixed, length));
  if (!result.header.is_object()) refuse("the trajectory's header is not a JSON object", kCopyAgain);
  result.samples = samples;
  result.header_bytes = summed + sizeof seed;
  result.header_crc = seed;

  const std::size_t size = record_bytes(samples);
  std::size_t at = result.header_bytes;
  for (; bytes.size() - at >= size; at += size) {
    if (get<std::uint32_t>(bytes, at + size - 4) != crc32(bytes.data() + at, size - 4, seed)) break;
    StepRecord record{get<std::uint32_t>(bytes, at),
                      (get<std::uint32_t>(bytes, at + 4) & kSkipped) != 0,
                      get<float>(bytes, at + 8),
                      {}};
    record.gradients.resize(samples);
    std::memcpy(record.gradients.data(), bytes.data() + at + 12, samples * sizeof(float));
    if (record.step != result.steps.size() || (!record.skipped && !finite(record))) break;
    result.steps.push_back(std::move(record));
  }
  result.bad_bytes = bytes.size() - at;
  return result;
}

Trajectory read_trajectory(const std::filesystem::path& path) { return parse_trajectory(read_file(path)); }

TrajectoryWriter TrajectoryWriter::create(const std::filesystem::path& path, const Json& header,
                                          std::uint32_t samples) {
  const std::string bytes = header_of(header, samples);
  write_file(path, bytes);
  return {AppendFile(path, bytes.size()), samples, get<std::uint32_t>(bytes, bytes.size() - 4), 0};
}

TrajectoryWriter TrajectoryWriter::resume(const std::filesystem::path& path, const Trajectory& read,
                                          std::size_t count) {
  if (count > read.steps.size())
    throw Error(Exit::internal, "cannot go on behind a record that is not there", "report this");
  return {AppendFile(path, read.bytes_of(count)), read.samples, read.header_crc, static_cast<std::uint32_t>(count)};
}

void TrajectoryWriter::append(const StepRecord& record) {
  if (record.step != steps_ || record.gradients.size() != samples_ || (!record.skipped && !finite(record))) {
    throw Error(Exit::internal,
                "record of step " + std::to_string(record.step) + " does not follow on step " + std::to_string(steps_),
                "report this");
  }
  std::string bytes;
  put(bytes, record.step);
  put(bytes, record.skipped ? kSkipped : 0u);
  put(bytes, record.lr);
  for (const float g : record.gradients) put(bytes, g);
  put(bytes, crc32(bytes.data(), bytes.size(), crc_seed_));
  file_.append(bytes);
  ++steps_;
}

}  // namespace frugal
