#include "frugal/formats/adapter/module_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <new>

#include "frugal/base/error.h"
#include "frugal/formats/names.h"

namespace frugal {
namespace {
constexpr std::size_t kMaxPatternBytes = 512;
constexpr std::uint32_t kMaxSteps = 20'000;
}  // namespace

ModulePattern::ModulePattern(const std::string& source, Match match, std::string where)
    : source_(source), where_(std::move(where)) {
  if (source_.size() > kMaxPatternBytes) fail("is longer than " + std::to_string(kMaxPatternBytes) + " bytes");
  const std::string pattern = match == Match::whole ? "(?:" + source_ + ")" : "(.*\\.)?(" + source_ + ")$";
  const std::uint32_t options =
      PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | (match == Match::whole ? PCRE2_ENDANCHORED : 0);
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error, &at, nullptr);
  if (code == nullptr) {
    std::array<PCRE2_UCHAR, 256> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    fail("does not compile: " + std::string(reinterpret_cast<const char*>(message.data())));
  }
  code_.reset(code, [](void* p) { pcre2_code_free(static_cast<pcre2_code*>(p)); });
}

bool ModulePattern::matches(std::string_view module) const {
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> limits(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(pcre2_match_data_create(1, nullptr),
                                                                                  pcre2_match_data_free);
  if (!limits || !match) throw std::bad_alloc();
  pcre2_set_match_limit(limits.get(), kMaxSteps);
  pcre2_set_heap_limit(limits.get(), 1024);  // KiB
  const int found =
      pcre2_match(static_cast<const pcre2_code*>(code_.get()), reinterpret_cast<PCRE2_SPTR>(module.data()),
                  module.size(), 0, 0, match.get(), limits.get());
  if (found < 0 && found != PCRE2_ERROR_NOMATCH)
    fail("gives up on " + printable(module) + " (error " + std::to_string(found) + ")");
  return found >= 0;
}

void ModulePattern::fail(const std::string& what) const {
  throw Error(Exit::input, where_ + " has the pattern " + printable(source_) + ", which " + what,
              "write the modules' names instead");
}

}  // namespace frugal
