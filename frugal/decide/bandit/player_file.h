// The file of a player between rounds: what `frugal bandit new`, `suggest` and `tell` share.
//
// Little-endian. "FRGLBDT\0", u32 version, u32 bytes of JSON, the JSON {"settings", "actions", "pending", "parts":
// [{"name", "bytes"}]}, the parts one after the other, and the SHA-256 of everything before it as 64 hexadecimal
// digits. It needs no other file: actions that were read from one are in the JSON.
#pragma once
#include <memory>
#include <string>

#include "frugal/decide/bandit/config.h"
#include "frugal/decide/bandit/policy.h"

namespace frugal::bandit {

struct SavedPlayer {
  Json settings;  // as `new` got them
  Json actions;   // null, or every action
  std::unique_ptr<Policy> policy;
  Items pending = {};  // what was suggested and not told yet; empty: nothing, as in a file of before this was kept
};

SavedPlayer new_player(const BanditNewConfig& config);
// Written whole or not at all. Error(Exit::input): the disk.
void save_player(const std::string& path, SavedPlayer& player);
// Error(Exit::input): no such file, not one of these, a newer one, damaged, or one that no play can have led to.
SavedPlayer load_player(const std::string& path);

}  // namespace frugal::bandit
