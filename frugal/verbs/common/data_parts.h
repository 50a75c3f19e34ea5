// Where the examples of a run come from: files, or shares of its data.
#pragma once
#include <charconv>
#include <string>

#include "frugal/data/row_choice.h"
#include "frugal/verbs/common/data_config.h"

namespace frugal {

struct DataPart {
  std::string path;  // empty: there is none
  RowChoice choice = {};
};
struct DataParts {
  DataPart data, dev, test;
};

inline bool is_share(const std::string& text) { return text.ends_with('%'); }

// "10%" is 0.1. Error(Exit::usage): no number above 0 and below 100.
inline double parse_share(const char* option, const std::string& text) {
  double percent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size() - 1, percent);
  if (error != std::errc() || end != text.data() + text.size() - 1 || !(percent > 0 && percent < 100))
    throw Error(Exit::usage, std::string(option) + " is " + text + ", expected a file, or a share like 10%",
                std::string(option) + " 10% splits a tenth of --data off");
  return percent / 100;
}

// --dev and --test as shares are split off --data by the records' hashes: dev first, then test, the rest is trained on.
inline DataParts data_parts(const DataConfig& c, std::uint64_t seed) {
  DataParts parts;
  double from = 0;
  const auto part = [&](const char* option, const std::string& name, std::int64_t size) {
    DataPart one{name, static_cast<std::size_t>(size)};
    if (is_share(name)) {
      one.path = c.data;
      one.choice.from = from;
      one.choice.to = from += parse_share(option, name);
    }
    return one;
  };
  parts.dev = part("--dev", c.dev, c.dev_size);
  parts.test = part("--test", c.test, c.test_size);
  if (from >= 1)
    throw Error(Exit::usage, "--dev " + c.dev + " and --test " + c.test + " leave nothing to be trained on",
                "smaller shares");
  parts.data = {c.data, static_cast<std::size_t>(c.train_size)};
  if (from > 0) parts.data.choice.from = from;
  for (DataPart* each : {&parts.data, &parts.dev, &parts.test}) {
    each->choice.is_sample = c.sample == "seeded";
    each->choice.seed = seed;
  }
  return parts;
}

}  // namespace frugal
