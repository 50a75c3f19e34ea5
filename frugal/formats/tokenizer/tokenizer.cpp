#include "frugal/formats/tokenizer.h"

#include <utf8proc.h>

#include <array>
#include <cstdlib>
#include <mutex>
#include <unordered_map>

#include "frugal/base/error.h"
#include "frugal/formats/tokenizer/added_tokens.h"
#include "frugal/formats/tokenizer/byte_alphabet.h"
#include "frugal/formats/tokenizer/merges.h"
#include "frugal/formats/tokenizer/pre_tokenizer.h"
#include "frugal/formats/tokenizer/utf8.h"

namespace frugal {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;
constexpr std::size_t kCachedWords = 1 << 16, kCachedWordBytes = 64;

[[noreturn]] void broken(const std::string& what) {
  throw Error(Exit::input, "the tokenizer is broken: " + what,
              "get the model again, or use its original tokenizer.json");
}

std::string shown(std::string_view text) {
  std::string out = "'";
  out += text.substr(0, 60);
  return out + (text.size() > 60 ? "...'" : "'");
}

std::string normal_form_c(std::string_view text) {
  utf8proc_uint8_t* out = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &out, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(out, std::free);
  if (length < 0) throw Error(Exit::input, utf8proc_errmsg(length), "split the text into smaller parts");
  return std::string(reinterpret_cast<const char*>(out), static_cast<std::size_t>(length));
}

// What one thread needs while it encodes; kept from call to call for the words it remembers.
struct Workspace {
  Merges::Scratch scratch;
  std::vector<std::string_view> words, spare;
  std::unordered_map<std::string, std::vector<std::int32_t>> cache;
  std::string key;
};

std::unordered_map<std::string_view, std::int32_t> ids_by_text(const std::vector<std::string>& tokens) {
  std::unordered_map<std::string_view, std::int32_t> ids;
  ids.reserve(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    const auto [at, is_new] = ids.emplace(tokens[id], static_cast<std::int32_t>(id));
    if (!is_new)
      broken("token " + shown(tokens[id]) + " has ids " + std::to_string(at->second) + " and " + std::to_string(id));
  }
  return ids;
}

void check_ids(const TokenizerModel& model) {
  const auto size = static_cast<std::int64_t>(model.tokens.size());
  if (size > INT32_MAX / 2) broken("it has " + std::to_string(size) + " tokens");
  if (model.merges.empty()) broken("it has no merges");
  const auto check = [&](const std::string& what, std::int32_t id) {
    if (id < -1 || id >= size)
      broken(what + " has id " + std::to_string(id) + " but there are " + std::to_string(size) + " tokens");
  };
  check("bos", model.bos);
  check("eos", model.eos);
  check("unk", model.unk);
  check("pad", model.pad);
  for (const auto& added : model.added) {
    check("added token " + shown(added.text), added.id);
    if (added.id < 0) broken("added token " + shown(added.text) + " has no id");
    const std::string& token = model.tokens[static_cast<std::size_t>(added.id)];
    if (added.text != token)
      broken("id " + std::to_string(added.id) + " is " + shown(token) + " and added token " + shown(added.text));
  }
}

}  // namespace

struct Tokenizer::State {
  explicit State(TokenizerModel&& from)
      : model((check_ids(from), std::move(from))),
        pre(model.pre),
        ids(ids_by_text(model.tokens)),
        merges(model.merges.size()),
        with_special(model.added, true),
        without_special(model.added, false) {
    model.ignore_merges |= pre.ignore_merges();
    is_special.resize(model.tokens.size());
    pieces.reserve(model.tokens.size());
    for (const std::string& token : model.tokens) pieces.push_back(letters_to_bytes(token).value_or(token));
    for (const auto& added : model.added) {
      is_special[static_cast<std::size_t>(added.id)] = added.special;
      pieces[static_cast<std::size_t>(added.id)] = added.text;
    }
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const auto found = ids.find(byte_to_letter(static_cast<unsigned char>(byte)));
      byte_ids[byte] = found == ids.end() ? -1 : found->second;
    }
    add_merges();
  }

  void add_merges() {
    std::string joined;
    for (std::size_t rank = 0; rank < model.merges.size(); ++rank) {
      const std::string_view merge = model.merges[rank];
      const std::size_t space = merge.find(' ');
      if (space == 0 || space == std::string_view::npos || space + 1 == merge.size())
        broken("merge " + shown(merge) + " is not a pair");
      const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
      (joined = left) += right;
      merges.add(id_in_merge(left, merge), id_in_merge(right, merge),
                 {static_cast<std::int32_t>(rank), id_in_merge(joined, merge)});
    }
  }

  std::int32_t id_in_merge(std::string_view token, std::string_view merge) const {
    const auto found = ids.find(token);
    if (found == ids.end())
      broken("merge " + shown(merge) + " needs token " + shown(token) + ", which is not in the vocabulary");
    return found->second;
  }

  void encode_word(std::string_view word, Workspace& work, std::vector<std::int32_t>& out) const {
    if (word.size() > kCachedWordBytes) return merge_word(word, work, out);
    work.key = word;
    const auto cached = work.cache.find(work.key);
    if (cached != work.cache.end()) {
      out.insert(out.end(), cached->second.begin(), cached->second.end());
      return;
    }
    const std::size_t before = out.size();
    merge_word(word, work, out);
    if (work.cache.size() >= kCachedWords) work.cache.clear();
    work.cache.emplace(work.key,
                       std::vector<std::int32_t>(out.begin() + static_cast<std::ptrdiff_t>(before), out.end()));
  }

  void merge_word(std::string_view word, Workspace& work, std::vector<std::int32_t>& out) const {
    if (model.ignore_merges) {
      const auto found = ids.find(bytes_to_letters(word));
      if (found != ids.end()) return out.push_back(found->second);
    }
    merges.encode(word, byte_ids, work.scratch, out);
  }

  // Text between added tokens. Runs of invalid UTF-8 are words of their own.
  void encode_plain(std::string_view text, Workspace& work, std::vector<std::int32_t>& out) const {
    while (!text.empty()) {
      const std::size_t valid = valid_utf8_prefix(text);
      if (valid > 0) {
        const std::string normal = model.nfc ? normal_form_c(text.substr(0, valid)) : std::string();
        pre.split(model.nfc ? std::string_view(normal) : text.substr(0, valid), work.words, work.spare);
        for (const std::string_view word : work.words) encode_word(word, work, out);
        text.remove_prefix(valid);
      }
      std::size_t invalid = 0;
      while (invalid < text.size() && valid_utf8_prefix(text.substr(invalid, 4)) == 0) ++invalid;
      if (invalid > 0) encode_word(text.substr(0, invalid), work, out);
      text.remove_prefix(invalid);
    }
  }

  std::unique_ptr<Workspace> borrow() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return std::make_unique<Workspace>();
    auto work = std::move(idle.back());
    idle.pop_back();
    return work;
  }
  void give_back(std::unique_ptr<Workspace> work) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(work));
  }

  TokenizerModel model;
  PreTokenizer pre;
  std::unordered_map<std::string_view, std::int32_t> ids;
  Merges merges;
  AddedTokens with_special, without_special;
  std::array<std::int32_t, 256> byte_ids{};
  std::vector<std::string> pieces;  // bytes by id
  std::vector<bool> is_special;     // by id
  std::mutex mutex;
  std::vector<std::unique_ptr<Workspace>> idle;
};

Tokenizer::Tokenizer(TokenizerModel model) : state_(std::make_unique<State>(std::move(model))) {}
Tokenizer::~Tokenizer() = default;

const TokenizerModel& Tokenizer::model() const { return state_->model; }
std::int64_t Tokenizer::size() const { return static_cast<std::int64_t>(state_->model.tokens.size()); }

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool parse_special) const {
  if (text.size() > kMaxTextBytes) {
    throw Error(Exit::input,
                "a text has " + std::to_string(text.size()) + " bytes, at most " + std::to_string(kMaxTextBytes) +
                    " can be encoded at once",
                "split it into several texts");
  }
  std::vector<std::int32_t> out;
  std::unique_ptr<Workspace> work = state_->borrow();
  const AddedTokens& added = parse_special ? state_->with_special : state_->without_special;
  for (std::size_t at = 0; at < text.size();) {
    const AddedTokens::Match match = added.find(text, at);
    state_->encode_plain(text.substr(at, match.begin - at), *work, out);
    if (match.id >= 0) out.push_back(match.id);
    at = match.end;
  }
  state_->give_back(std::move(work));
  return out;
}

std::vector<bool> Tokenizer::needed_by(const std::vector<std::string>& texts) const {
  std::vector<bool> is_needed(static_cast<std::size_t>(size())), is_made(is_needed.size());
  for (const std::string& text : texts) {
    for (const bool parse_special : {false, true}) {
      for (const std::int32_t id : encode(text, parse_special)) is_needed[static_cast<std::size_t>(id)] = true;
    }
  }
  // What is joined inside a token is the same in every word: a pair across its ends would have come between, and the
  // token would not be there.
  std::vector<std::int32_t> ids;
  Merges::Scratch scratch;
  scratch.made = &is_made;
  for (std::size_t id = 0; id < is_needed.size(); ++id) {
    if (is_needed[id]) state_->merges.encode(state_->pieces[id], state_->byte_ids, scratch, ids);
  }
  for (std::size_t id = 0; id < is_needed.size(); ++id) is_needed[id] = is_needed[id] || is_made[id];
  for (const std::int32_t id : state_->byte_ids) {
    if (id >= 0) is_needed[static_cast<std::size_t>(id)] = true;
  }
  return is_needed;
}

std::vector<std::int32_t> Tokenizer::encode_with_special(std::string_view text, bool parse_special) const {
  const TokenizerModel& model = state_->model;
  std::vector<std::int32_t> out = encode(text, parse_special);
  if (model.add_bos && model.bos >= 0) out.insert(out.begin(), model.bos);
  if (model.add_eos && model.eos >= 0) out.push_back(model.eos);
  return out;
}

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids, bool skip_special) const {
  std::string out;
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= size() || (skip_special && state_->is_special[static_cast<std::size_t>(id)])) continue;
    out += state_->pieces[static_cast<std::size_t>(id)];
  }
  return out;
}

std::string Tokenizer::piece(std::int32_t id) const {
  return id < 0 || id >= size() ? std::string() : state_->pieces[static_cast<std::size_t>(id)];
}

}  // namespace frugal
