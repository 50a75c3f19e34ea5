#include "frugal/decide/bandit/player_file.h"

#include <cstring>
#include <new>
#include <string_view>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json_text.h"
#include "frugal/base/sha256.h"
#include "frugal/decide/bandit/problem.h"

namespace frugal::bandit {
namespace {

constexpr std::string_view kMagic{"FRGLBDT\0", 8};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHead = 16, kDigits = 64;

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t k = 0; k < 4; ++k) value |= std::uint32_t{static_cast<unsigned char>(bytes[at + k])} << (8 * k);
  return value;
}

void append_number(std::string& bytes, std::uint32_t value) {
  for (int k = 0; k < 4; ++k) bytes += static_cast<char>(value >> (8 * k));
}

std::string digits_of(std::string_view bytes) {
  Sha256 sum;
  sum.update(bytes.data(), bytes.size());
  return sum.hex();
}

ActionSet actions_of(const BanditNewConfig& config, const Json& listed) {
  if (listed.is_null()) return make_actions(config.problem);
  return ActionSet::enumerate(listed.get<std::vector<Items>>(), static_cast<std::int32_t>(config.problem.items));
}

SavedPlayer make_player(const BanditNewConfig& config, Json actions) {
  SavedPlayer player{to_json(config), std::move(actions), nullptr, {}};
  const ActionSet set = actions_of(config, player.actions);
  const PolicyInfo& info = *chosen_policies({config.policy}, set).front();
  player.policy = info.make(set, make_options(config.problem, config.player, static_cast<std::uint64_t>(config.seed)));
  return player;
}

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Error(Exit::input, path + " " + what, "begin a new one with `frugal bandit new`, or take a copy of before");
}

// The policy's parts as the file has them. Anything that is thrown means that no `tell` wrote this.
SavedPlayer parse(const std::string& path, std::string_view json_text, std::string_view parts) {
  const Json json = json_of(json_text);
  if (!json.is_object()) refuse(path, "has no JSON where its settings are expected");
  const auto config = from_json<BanditNewConfig>(json.at("settings"));
  validate(config);
  // Statistics of d items take 32 d bytes, of pairs 16 d^2: a short file must not make a large player.
  const auto d = static_cast<std::uint64_t>(config.problem.items);
  const PolicyInfo& info = policies().at(config.policy);
  const std::uint64_t needed = 32 * d + (info.has_pairs ? 16 * d * d : 0);
  if (needed > parts.size())
    refuse(path, "has " + std::to_string(parts.size()) + " bytes of statistics, expected " + std::to_string(needed) +
                     " or more");
  SavedPlayer player = make_player(config, json.at("actions"));
  State state;
  player.policy->state(state, "");
  const Json& listed = json.at("parts");
  if (listed.size() != state.parts().size())
    refuse(path, "has " + std::to_string(listed.size()) + " parts, expected " + std::to_string(state.parts().size()));
  std::size_t at = 0;
  for (std::size_t k = 0; k < listed.size(); ++k) {
    const NamedBytes& part = state.parts()[k];
    const auto bytes = listed[k].at("bytes").get<std::uint64_t>();
    if (listed[k].at("name").get<std::string>() != part.name || bytes != part.bytes.size() || bytes > parts.size() - at)
      refuse(path, "has " + std::to_string(bytes) + " bytes of part " + std::to_string(k) + ", expected " +
                       std::to_string(part.bytes.size()) + " of " + part.name);
    std::memcpy(part.bytes.data(), parts.data() + at, bytes);
    at += bytes;
  }
  if (at != parts.size())
    refuse(path, "has " + std::to_string(parts.size()) + " bytes of parts, expected " + std::to_string(at));
  if (!player.policy->is_sound()) refuse(path, "has statistics that no play leads to");
  if (json.contains("pending")) player.pending = json["pending"].get<Items>();
  return player;
}

}  // namespace

SavedPlayer new_player(const BanditNewConfig& given) {
  BanditNewConfig config = given;
  Json listed;
  if (!config.problem.actions.empty()) {
    listed = read_actions(config.problem.actions);
    config.problem.items =
        ActionSet::enumerate(listed.get<std::vector<Items>>(), static_cast<std::int32_t>(config.problem.items)).items();
  } else {
    config.problem.items = make_actions(config.problem).items();
  }
  return make_player(config, std::move(listed));
}

void save_player(const std::string& path, SavedPlayer& player) {
  State state;
  player.policy->state(state, "");
  Json parts = Json::array();
  for (const NamedBytes& part : state.parts()) parts.push_back({{"name", part.name}, {"bytes", part.bytes.size()}});
  const std::string json = Json{
      {"settings", player.settings},
      {"actions", player.actions},
      {"pending", player.pending},
      {"parts",
       std::move(parts)}}.dump();
  std::string bytes(kMagic);
  append_number(bytes, kVersion);
  append_number(bytes, static_cast<std::uint32_t>(json.size()));
  bytes += json;
  for (const NamedBytes& part : state.parts())
    bytes.append(reinterpret_cast<const char*>(part.bytes.data()), part.bytes.size());
  bytes += digits_of(bytes);
  write_file(path, bytes);
}

SavedPlayer load_player(const std::string& path) {
  const std::string bytes = read_file(path);
  const std::string_view all = bytes;
  if (!all.starts_with(kMagic)) refuse(path, "is no bandit state: it begins otherwise");
  if (all.size() < kHead + kDigits)
    refuse(path, "is cut short: it has " + std::to_string(all.size()) + " bytes, expected " +
                     std::to_string(kHead + kDigits) + " or more");
  if (const auto version = number_at(all, 8); version != kVersion)
    refuse(path, "has version " + std::to_string(version) + ", expected " + std::to_string(kVersion));
  const std::size_t end = all.size() - kDigits;
  if (digits_of(all.substr(0, end)) != all.substr(end)) refuse(path, "is damaged: its checksum is of other bytes");
  const std::size_t json_bytes = number_at(all, 12);
  if (json_bytes > end - kHead)
    refuse(path,
           "says " + std::to_string(json_bytes) + " bytes of JSON, expected at most " + std::to_string(end - kHead));
  try {
    return parse(path, all.substr(kHead, json_bytes), all.substr(kHead + json_bytes, end - kHead - json_bytes));
  } catch (const Error& error) {
    if (error.code() == Exit::input) throw;
    refuse(path, std::string("has settings that cannot be: ") + error.what());
  } catch (const nlohmann::json::exception& error) {
    refuse(path, std::string("has JSON that is no bandit state's: ") + error.what());
  } catch (const std::bad_alloc&) {
    refuse(path, "asks for more memory than there is");
  }
}

}  // namespace frugal::bandit
