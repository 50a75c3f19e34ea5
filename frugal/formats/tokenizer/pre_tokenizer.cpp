#include "frugal/formats/tokenizer/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>

#include "frugal/base/error.h"
#include "frugal/base/json_text.h"
#include "frugal/formats/tokenizer/utf8.h"

namespace frugal {
namespace {

constexpr std::size_t kMaxPatterns = 16, kMaxPatternBytes = 4096;

// Patterns of the models' published tokenizer.json files.
constexpr const char* kDigit = R"(\p{N})";
constexpr const char* kDigits = R"(\p{N}+)";
constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The names are llama.cpp's; of several names for one rule, the first is written.
struct Named {
  const char* name;
  std::array<const char*, 2> patterns;  // nullptr: one only
  bool ignore_merges;
};
constexpr Named kNamed[] = {
    {"gpt-2", {kGpt2, nullptr}, false},
    {"phi-2", {kGpt2, nullptr}, false},
    {"mpt", {kGpt2, nullptr}, false},
    {"olmo", {kGpt2, nullptr}, false},
    {"smollm", {kDigit, kGpt2}, false},
    {"starcoder", {kDigit, kGpt2}, false},
    {"refact", {kDigit, kGpt2}, false},
    {"command-r", {kDigit, kGpt2}, false},
    {"codeshell", {kDigit, kGpt2}, false},
    {"llama-bpe", {kLlama3, nullptr}, true},
    {"llama3", {kLlama3, nullptr}, true},
    {"llama-v3", {kLlama3, nullptr}, true},
    {"falcon3", {kLlama3, nullptr}, true},
    {"dbrx", {kLlama3, nullptr}, false},
    {"smaug-bpe", {kLlama3, nullptr}, false},
    {"qwen2", {kQwen2, nullptr}, false},
    {"deepseek-r1-qwen", {kQwen2, nullptr}, false},
};

std::vector<std::string> patterns_of(const Named& named) {
  std::vector<std::string> patterns;
  for (const char* pattern : named.patterns) {
    if (pattern) patterns.emplace_back(pattern);
  }
  return patterns;
}

// PCRE2's \s has U+180E, which is not white space in Unicode any more nor in the engines these patterns were written
// for.
std::string with_unicode_spaces(std::string_view pattern) {
  std::string out;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '\\' || at + 1 == pattern.size()) {
      out += pattern[at];
      continue;
    }
    const char escaped = pattern[++at];
    if (escaped == 's') {
      out += R"(\p{White_Space})";
    } else if (escaped == 'S') {
      out += R"(\P{White_Space})";
    } else {
      (out += '\\') += escaped;
    }
  }
  return out;
}

std::string literal(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(R"(\^$.|?*+()[]{}-# )").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

[[noreturn]] void unsupported(const std::string& what) {
  throw Error(Exit::input, "tokenizer.json has " + what + ", which is not supported",
              "use a model with a byte-level BPE tokenizer (GPT-2, SmolLM, Llama 3, Qwen), or its GGUF file");
}

std::string text_of(const Json& node, const char* key) {
  const auto found = node.find(key);
  return found != node.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flag(const Json& node, const char* key, bool otherwise) {
  const auto found = node.find(key);
  return found != node.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

void append_patterns(const Json& node, int depth, std::vector<std::string>& patterns) {
  if (!node.is_object()) unsupported("a pre_tokenizer that is not an object");
  const std::string type = text_of(node, "type");
  if (type == "Sequence") {
    const auto parts = node.find("pretokenizers");
    if (parts == node.end() || !parts->is_array() || depth >= 4)
      unsupported("a pre_tokenizer Sequence without a list of parts");
    bool closed = false;
    for (const Json& part : *parts) {
      if (closed) unsupported("a pre_tokenizer after ByteLevel");
      append_patterns(part, depth + 1, patterns);
      closed = part.is_object() && text_of(part, "type") == "ByteLevel";
    }
  } else if (type == "ByteLevel") {
    if (flag(node, "add_prefix_space", true)) unsupported("a ByteLevel pre_tokenizer with add_prefix_space");
    if (flag(node, "use_regex", true)) patterns.emplace_back(kGpt2);
  } else if (type == "Digits") {
    patterns.emplace_back(flag(node, "individual_digits", false) ? kDigit : kDigits);
  } else if (type == "Split") {
    if (text_of(node, "behavior") != "Isolated")
      unsupported("a Split pre_tokenizer with behavior '" + text_of(node, "behavior") + "'");
    const auto pattern = node.find("pattern");
    if (pattern == node.end() || !pattern->is_object()) unsupported("a Split pre_tokenizer without a pattern");
    const std::string regex = text_of(*pattern, "Regex"), text = text_of(*pattern, "String");
    if (regex.empty() && text.empty()) unsupported("a Split pre_tokenizer with an empty pattern");
    patterns.push_back(regex.empty() ? literal(text) : regex);
  } else {
    unsupported("a pre_tokenizer of type '" + type + "'");
  }
  if (patterns.size() > kMaxPatterns) unsupported("a pre_tokenizer with more than 16 patterns");
}

bool ends_in_byte_level(const Json& node) {
  if (!node.is_object()) return false;
  if (text_of(node, "type") == "ByteLevel") return true;
  const auto parts = node.find("pretokenizers");
  return parts != node.end() && parts->is_array() && !parts->empty() && parts->back().is_object() &&
         text_of(parts->back(), "type") == "ByteLevel";
}

}  // namespace

class PreTokenizer::Pattern {
 public:
  explicit Pattern(std::string source) : source_(std::move(source)) {
    int error = 0;
    PCRE2_SIZE at = 0;
    const std::string pattern = with_unicode_spaces(source_);
    if (source_.size() > kMaxPatternBytes) fail("is longer than " + std::to_string(kMaxPatternBytes) + " bytes");
    if (valid_utf8_prefix(pattern) != pattern.size()) fail("is not UTF-8");
    constexpr std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    code_.reset(
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error, &at, nullptr));
    if (!code_) {
      std::array<PCRE2_UCHAR, 256> message{};
      pcre2_get_error_message(error, message.data(), message.size());
      fail("does not compile: " + std::string(reinterpret_cast<const char*>(message.data())));
    }
    pcre2_jit_compile(code_.get(),
                      PCRE2_JIT_COMPLETE);  // where there is no JIT, the interpreter gives the same matches
    limits_.reset(pcre2_match_context_create(nullptr));
    if (!limits_) throw std::bad_alloc();
    pcre2_set_match_limit(limits_.get(), 5'000'000);
    pcre2_set_heap_limit(limits_.get(), 64 * 1024);  // KiB
  }

  const std::string& source() const { return source_; }

  void split(std::string_view text, std::vector<std::string_view>& out) const {
    // Its own for each call, so that threads share nothing; the start and end of the whole match are all we ask for.
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(pcre2_match_data_create(1, nullptr),
                                                                                    pcre2_match_data_free);
    if (!match) throw std::bad_alloc();
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    std::size_t done = 0;
    for (std::size_t from = 0; from < text.size();) {
      if (!search(text, from, match.get())) break;
      const std::size_t begin = range[0], end = range[1];
      if (begin < done || end < begin) fail("moves the start of its match");
      if (begin > done) out.push_back(text.substr(done, begin - done));
      if (end > begin) out.push_back(text.substr(begin, end - begin));
      done = end;
      from = end > begin || end == text.size() ? end : end + code_point_at(text, end).length;
    }
    if (done < text.size()) out.push_back(text.substr(done));
  }

 private:
  bool search(std::string_view text, std::size_t from, pcre2_match_data* match) const {
    const auto run = [&](std::uint32_t options) {
      return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                         options | PCRE2_NO_UTF_CHECK, match, limits_.get());
    };
    int found = run(0);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = run(PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0)
      fail("gives up on a text of " + std::to_string(text.size()) + " bytes (error " + std::to_string(found) + ")");
    return true;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Exit::input, "the tokenizer's pattern '" + source_.substr(0, 80) + "' " + what,
                "use the model's original tokenizer.json");
  }

  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  };
  std::string source_;
  std::unique_ptr<pcre2_code, Free> code_;
  std::unique_ptr<pcre2_match_context, Free> limits_;
};

PreTokenizer::PreTokenizer(const std::string& pre) {
  std::vector<std::string> sources;
  const auto* named = std::find_if(std::begin(kNamed), std::end(kNamed), [&](const Named& n) { return pre == n.name; });
  if (named != std::end(kNamed)) {
    sources = patterns_of(*named);
    ignore_merges_ = named->ignore_merges;
  } else {
    const Json list = pre.starts_with("[") ? json_of(pre) : Json();
    if (!list.is_array()) {
      std::string known;
      for (const Named& n : kNamed) known += (known.empty() ? "" : ", ") + std::string(n.name);
      throw Error(Exit::input, "the tokenizer asks for pre-tokenizer '" + pre.substr(0, 80) + "'; known are " + known,
                  "use a model with one of these");
    }
    for (const Json& source : list) {
      if (!source.is_string() || sources.size() >= kMaxPatterns)
        unsupported("more than 16 patterns, or one that is not text");
      sources.push_back(source.get<std::string>());
    }
  }
  for (std::string& source : sources) patterns_.push_back(std::make_unique<Pattern>(std::move(source)));
}

PreTokenizer::~PreTokenizer() = default;

void PreTokenizer::split(std::string_view text, std::vector<std::string_view>& words,
                         std::vector<std::string_view>& spare) const {
  words.assign(1, text);
  for (const auto& pattern : patterns_) {
    spare.swap(words);
    words.clear();
    for (const std::string_view piece : spare) pattern->split(piece, words);
  }
}

Json PreTokenizer::to_json() const {
  Json parts = Json::array();
  for (const auto& pattern : patterns_) {
    const std::string& source = pattern->source();
    if (source == kDigit) {
      parts.push_back({{"type", "Digits"}, {"individual_digits", true}});
    } else {
      parts.push_back(
          {{"type", "Split"}, {"pattern", {{"Regex", source}}}, {"behavior", "Isolated"}, {"invert", false}});
    }
  }
  const bool gpt2 = !patterns_.empty() && patterns_.back()->source() == kGpt2;
  if (gpt2) parts.erase(parts.size() - 1);  // it is what use_regex means
  parts.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", gpt2}});
  if (parts.size() == 1) return parts[0];
  return {{"type", "Sequence"}, {"pretokenizers", parts}};
}

std::string parse_pre_tokenizer(const Json& node, bool ignore_merges) {
  if (!ends_in_byte_level(node)) unsupported("a pre_tokenizer that does not end in ByteLevel");
  std::vector<std::string> patterns;
  append_patterns(node, 0, patterns);
  for (const Named& named : kNamed) {
    if (patterns == patterns_of(named) && named.ignore_merges == ignore_merges) return named.name;
  }
  return Json(patterns).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace frugal
