#include "frugal/train/zeroth_order/mask_file.h"

#include <string>
#include <unordered_map>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/base/json_text.h"

namespace frugal {

std::vector<std::vector<std::uint8_t>> read_mask_file(const std::filesystem::path& path, const ModelSource& model) {
  const auto fail = [&](const std::string& what) -> Error {
    return Error(Exit::input, path.string() + ": " + what, "write the mask for this model as docs/tune.md describes");
  };
  std::ifstream in = open_file(path);
  std::string line;
  if (!in || !std::getline(in, line) || line.size() > (std::size_t{16} << 20)) throw fail("not a mask file");
  const Json header = json_of(line);
  if (!header.is_object() || header.value("frugal_mask", Json()) != 1 || !header.contains("tensors") ||
      !header["tensors"].is_array()) {
    throw fail("not a mask file");
  }
  std::unordered_map<std::string, std::size_t> ids;
  for (const SourceTensor& tensor : model.tensors()) ids.emplace(tensor.name, ids.size());
  std::vector<std::vector<std::uint8_t>> bits(ids.size());
  for (const Json& entry : header["tensors"]) {
    if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string() || !entry.contains("elements") ||
        !entry["elements"].is_number_unsigned()) {
      throw fail("an entry without name and elements");
    }
    const auto name = entry["name"].get<std::string>();
    const auto found = ids.find(name);
    if (found == ids.end()) throw fail("the model has no tensor " + name);
    const auto elements = entry["elements"].get<std::uint64_t>();
    const SourceTensor& tensor = model.tensors()[found->second];
    const auto expected = static_cast<std::uint64_t>(tensor.rows * tensor.cols);
    if (elements != expected) {
      throw fail(name + " has " + std::to_string(elements) + " elements in the mask, " + std::to_string(expected) +
                 " in the model");
    }
    auto& own = bits[found->second];
    own.resize((elements + 7) / 8);
    if (!in.read(reinterpret_cast<char*>(own.data()), static_cast<std::streamsize>(own.size())))
      throw fail("ends inside " + name);
  }
  return bits;
}

}  // namespace frugal
