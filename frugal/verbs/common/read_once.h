// Examples that a verb's check reads, to plan and to show them, and that its library computes with: read and tokenised
// once (base/handed.h).
#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "frugal/base/config.h"
#include "frugal/base/handed.h"

namespace frugal {

// Names the examples by all that they depend on beside the model.
template <class Config>
std::string examples_name(const Config& config, const std::string& path, std::int64_t limit) {
  return to_json(config).dump(-1, ' ', false, Json::error_handler_t::replace) + '\n' + path + '\n' +
         std::to_string(limit);
}

template <class Config, class Data>
void keep_examples(const Config& config, const std::string& path, std::int64_t limit, Data data) {
  handed().keep(examples_name(config, path, limit), std::move(data));
}

// What the check kept for the library, else what `read` returns.
template <class Config, class Read>
auto take_examples(const Config& config, const std::string& path, std::int64_t limit, Read read) {
  auto kept = handed().take<decltype(read())>(examples_name(config, path, limit));
  return kept ? std::move(*kept) : read();
}

}  // namespace frugal
