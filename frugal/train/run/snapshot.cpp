#include "frugal/train/run/snapshot.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json_text.h"
#include "frugal/base/sha256.h"
#include "frugal/train/run/hashed_file.h"

namespace frugal {
namespace {

constexpr char kMagic[8] = {'F', 'R', 'G', 'L', 'S', 'N', 'P', 0};
constexpr std::uint32_t kVersion = 1, kMostHeader = 64u << 20;
constexpr std::uint64_t kFixed = sizeof kMagic + 2 * sizeof(std::uint32_t), kTrailer = 64;
constexpr std::size_t kBuffer = 1 << 20;

[[noreturn]] void damaged(const std::filesystem::path& path, const std::string& why) {
  throw Error(Exit::input, path.string() + " is damaged: " + why,
              "remove it; --resume goes on from the snapshot before it");
}

struct OpenSnapshot {
  std::ifstream in;  // behind the header
  Json header;
  std::uint64_t data_bytes = 0;
};

// Reads the header; its own sizes are compared with the file's before anything is reserved.
OpenSnapshot open_snapshot(const std::filesystem::path& path, Sha256* sha) {
  OpenSnapshot open{open_file(path), {}, 0};
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  char fixed[kFixed];
  if (error || !open.in) throw Error(Exit::input, "cannot read " + path.string(), "check the path");
  if (size < kFixed + kTrailer || !open.in.read(fixed, kFixed) || std::memcmp(fixed, kMagic, sizeof kMagic) != 0) {
    damaged(path, "it does not begin as a snapshot does");
  }
  std::uint32_t version, length;
  std::memcpy(&version, fixed + 8, 4);
  std::memcpy(&length, fixed + 12, 4);
  if (version != kVersion) {
    throw Error(
        Exit::input,
        path.string() + " has version " + std::to_string(version) + ", this program reads " + std::to_string(kVersion),
        "use the version of frugal that wrote it");
  }
  if (length > size - kFixed - kTrailer || length > kMostHeader) {
    damaged(path, "its header takes " + std::to_string(length) + " bytes, the file has " + std::to_string(size));
  }
  std::string text(length, 0);
  if (!open.in.read(text.data(), length)) damaged(path, "it cannot be read");
  if (sha != nullptr) {
    sha->update(fixed, kFixed);
    sha->update(text.data(), text.size());
  }
  open.header = json_of(text);
  if (!open.header.is_object()) damaged(path, "its header is not a JSON object");
  open.data_bytes = size - kFixed - kTrailer - length;
  return open;
}

SnapshotInfo info_of(const std::filesystem::path& path, const Json& header) {
  try {
    return {header.at("step").get<std::uint64_t>(), header.at("dtype").get<std::string>(),
            header.at("base_sha256").get<std::string>(), header.value("settings_sha256", std::string())};
  } catch (const nlohmann::json::exception& error) {
    damaged(path, error.what());
  }
}

Json tensor_list(std::span<const NamedBytes> tensors) {
  Json list = Json::array();
  for (const NamedBytes& tensor : tensors) list.push_back({{"name", tensor.name}, {"bytes", tensor.bytes.size()}});
  return list;
}

}  // namespace

void write_snapshot(const std::filesystem::path& path, const SnapshotInfo& info, std::span<const NamedBytes> tensors) {
  Json header = {{"step", info.step}, {"dtype", info.dtype}, {"base_sha256", info.base_sha256}};
  if (!info.settings_sha256.empty()) header["settings_sha256"] = info.settings_sha256;
  header["tensors"] = tensor_list(tensors);
  const std::string text = header.dump();
  const auto length = static_cast<std::uint32_t>(text.size());
  HashedFile file(path);
  file.write(kMagic, sizeof kMagic);
  file.write(&kVersion, sizeof kVersion);
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const NamedBytes& tensor : tensors) file.write(tensor.bytes.data(), tensor.bytes.size());
  file.commit();
}

SnapshotInfo verify_snapshot(const std::filesystem::path& path) {
  Sha256 sha;
  OpenSnapshot open = open_snapshot(path, &sha);
  const auto block = std::make_unique<char[]>(kBuffer);
  for (std::uint64_t left = open.data_bytes; left > 0;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left, kBuffer));
    if (!open.in.read(block.get(), static_cast<std::streamsize>(n))) damaged(path, "it cannot be read to its end");
    sha.update(block.get(), n);
    left -= n;
  }
  std::string trailer(kTrailer, 0);
  if (!open.in.read(trailer.data(), kTrailer) || trailer != sha.hex())
    damaged(path, "its SHA-256 does not agree with its content");
  return info_of(path, open.header);
}

SnapshotInfo read_snapshot(const std::filesystem::path& path, std::span<const NamedBytes> into) {
  const SnapshotInfo info = verify_snapshot(path);
  OpenSnapshot open = open_snapshot(path, nullptr);
  const Json found = open.header.value("tensors", Json()), expected = tensor_list(into);
  if (found != expected) {
    std::size_t i = 0;
    while (i < found.size() && i < expected.size() && found[i] == expected[i]) ++i;
    const auto show = [&](const Json& list) { return i < list.size() ? list[i].dump() : "no tensor"; };
    throw Error(
        Exit::input,
        path.string() + " has " + show(found) + " as tensor " + std::to_string(i) + ", the model has " + show(expected),
        "give the model and the --weights the run began with");
  }
  if (open.data_bytes != snapshot_bytes(into)) damaged(path, "its tensors take another size than its header says");
  for (const NamedBytes& tensor : into) {
    if (!open.in.read(reinterpret_cast<char*>(tensor.bytes.data()),
                      static_cast<std::streamsize>(tensor.bytes.size()))) {
      damaged(path, "it changed while it was read");
    }
  }
  return info;
}

std::map<std::string, std::uint64_t> snapshot_sizes(const std::filesystem::path& path) {
  const OpenSnapshot open = open_snapshot(path, nullptr);
  std::map<std::string, std::uint64_t> sizes;
  std::uint64_t left = open.data_bytes;
  try {
    for (const Json& part : open.header.at("tensors")) {
      const auto bytes = part.at("bytes").get<std::uint64_t>();
      if (bytes > left) damaged(path, "its parts take more than the file has");
      left -= bytes;
      sizes[part.at("name").get<std::string>()] = bytes;
    }
  } catch (const nlohmann::json::exception& error) {
    damaged(path, error.what());
  }
  return sizes;
}

std::uint64_t snapshot_bytes(std::span<const NamedBytes> tensors) {
  std::uint64_t sum = 0;
  for (const NamedBytes& tensor : tensors) sum += tensor.bytes.size();
  return sum;
}

std::string weights_sha256(std::span<const NamedBytes> tensors) {
  Sha256 sha;
  for (const NamedBytes& tensor : tensors) sha.update(tensor.bytes.data(), tensor.bytes.size());
  return sha.hex();
}

}  // namespace frugal
