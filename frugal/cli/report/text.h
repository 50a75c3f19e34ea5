// Text of a page. What comes from a record may be anything: it goes through escape() on its way into HTML.
#pragma once
#include <string>
#include <string_view>

#include "frugal/base/json.h"

namespace frugal::report {

// & < > " ' as entities; bytes that are no UTF-8, and control characters but tab and line feed, as U+FFFD.
std::string escape(std::string_view text);

std::string number(
    double value);  // four significant digits: "0.9375", "3e-5", "12.5"; whole ones below 1e15 as count()
std::string metric(double value);  // four decimals, so that columns align; as number() below 0.001 and from 100
std::string count(double value);   // "1,250,000"
// "0.412 s", in microseconds below a millisecond, as format_seconds from a minute on; negative: "?"
std::string duration(double seconds);
std::string memory(double bytes);  // format_bytes; negative: "?"
// Strings bare, other values as compact JSON; cut behind 600 bytes, and what lies deeper than 6 levels left out.
std::string plain(const Json& value);
std::string words_of(std::string_view key);        // "balanced_accuracy" -> "balanced accuracy"
std::string title_of(std::string_view key);        // "Balanced accuracy"
std::string one_of(std::string_view name);         // "a step", "an epoch"
std::string name_ending(const std::string& name);  // the last bytes of a long one, where names of blocks differ
std::string shell_word(std::string_view text);     // in single quotes where a POSIX shell would read it otherwise

}  // namespace frugal::report
