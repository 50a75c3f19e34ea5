// A table of what registers itself: verbs, methods, jobs, plug-ins of any kind. Entries have a `name` and are kept by
// it.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/base/settings.h"

namespace frugal {

template <class Info>
class Table {
 public:
  // what: how an entry is asked for, for messages: "--method". plural: "methods".
  Table(std::string what, std::string plural) : what_(std::move(what)), plural_(std::move(plural)) {}

  // Error(Exit::internal): an entry of this name is there already.
  void add(Info info) {
    const auto place = std::lower_bound(all_.begin(), all_.end(), info.name,
                                        [](const Info& each, std::string_view name) { return each.name < name; });
    if (place != all_.end() && place->name == info.name) {
      throw Error(Exit::internal, "two of the " + plural_ + " are called '" + std::string(info.name) + "'",
                  "give one of them another name");
    }
    all_.insert(place, std::move(info));
  }
  const std::vector<Info>& all() const { return all_; }  // by name
  const Info* find(std::string_view name) const {        // null: none
    for (const Info& each : all_) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }
  // Error(Exit::usage) with the nearest name and all names.
  const Info& at(std::string_view name) const {
    if (const Info* info = find(name)) return *info;
    std::vector<std::string> names;
    std::string listed;
    for (const Info& each : all_) {
      names.emplace_back(each.name);
      listed += (listed.empty() ? "" : ", ") + names.back();
    }
    throw Error(Exit::usage, what_ + " is '" + std::string(name) + "', which there is not" + did_you_mean(name, names),
                "the " + plural_ + " are: " + listed);
  }

 private:
  std::string what_, plural_;
  std::vector<Info> all_;
};

}  // namespace frugal
