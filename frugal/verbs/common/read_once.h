// Examples that a verb's check reads, to plan and to show them, and that its library computes with: read and tokenised
// once (base/handed.h).
#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "frugal/base/config.h"
#include "frugal/base/handed.h"
#include "frugal/data/row_choice.h"

namespace frugal {

// Names the examples by all that they depend on beside the model.
template <class Config>
std::string examples_name(const Config& config, const std::string& path, const RowChoice& choice) {
  return to_json(config).dump(-1, ' ', false, Json::error_handler_t::replace) + '\n' + path + '\n' + choice.name();
}

template <class Config, class Data>
void keep_examples(const Config& config, const std::string& path, const RowChoice& choice, Data data) {
  handed().keep(examples_name(config, path, choice), std::move(data));
}

// What the check kept for the library, else what `read` returns.
template <class Config, class Read>
auto take_examples(const Config& config, const std::string& path, const RowChoice& choice, Read read) {
  auto kept = handed().take<decltype(read())>(examples_name(config, path, choice));
  return kept ? std::move(*kept) : read();
}

}  // namespace frugal
