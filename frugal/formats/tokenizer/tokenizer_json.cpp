// tokenizer.json and tokenizer_config.json of Hugging Face, read and written.
#include <algorithm>
#include <limits>

#include "frugal/base/error.h"
#include "frugal/base/json_text.h"
#include "frugal/formats/tokenizer.h"
#include "frugal/formats/tokenizer/byte_alphabet.h"
#include "frugal/formats/tokenizer/pre_tokenizer.h"

namespace frugal {
namespace {

// Ids that no token has are allowed (padded vocabularies), but not so many that a small file asks for much memory.
constexpr std::uint64_t kMaxUnusedIds = 1 << 16, kMaxTokens = 1 << 24;

[[noreturn]] void refuse(
    const std::string& what,
    const char* fix = "use a model with a byte-level BPE tokenizer (GPT-2, SmolLM, Llama 3, Qwen), or its GGUF file") {
  throw Error(Exit::input, "tokenizer.json " + what, fix);
}

[[noreturn]] void malformed(const std::string& what) {
  refuse(what, "get the model again; this is not a whole tokenizer.json");
}

template <class AnyJson>
const AnyJson& member(const AnyJson& node, const char* key) {
  static const AnyJson null;
  if (!node.is_object()) return null;
  const auto found = node.find(key);
  return found == node.end() ? null : *found;
}

template <class AnyJson>
bool is_true(const AnyJson& node) {
  return node.is_boolean() && node.template get<bool>();
}

template <class AnyJson>
std::string text_or_empty(const AnyJson& node) {
  return node.is_string() ? node.template get<std::string>() : std::string();
}

template <class AnyJson>
std::int32_t id_of(const AnyJson& node, const std::string& token) {
  if (!node.is_number_unsigned() && !(node.is_number_integer() && node.template get<std::int64_t>() >= 0)) {
    malformed("gives token '" + token.substr(0, 60) + "' the id " +
              node.dump(-1, ' ', false, AnyJson::error_handler_t::replace).substr(0, 40) +
              ", expected a number from 0");
  }
  const auto id = node.template get<std::uint64_t>();
  if (id >= kMaxTokens)
    malformed("gives token '" + token.substr(0, 60) + "' the id " + std::to_string(id) + ", at most " +
              std::to_string(kMaxTokens - 1) + " is supported");
  return static_cast<std::int32_t>(id);
}

void put_token(TokenizerModel& model, std::int32_t id, const std::string& text, std::size_t most) {
  const auto at = static_cast<std::size_t>(id);
  if (at >= most)
    malformed("gives token '" + text.substr(0, 60) + "' the id " + std::to_string(id) +
              ", but has too few tokens for it");
  if (at >= model.tokens.size()) model.tokens.resize(at + 1);
  if (!model.tokens[at].empty() && model.tokens[at] != text) {
    malformed("gives the id " + std::to_string(id) + " to '" + model.tokens[at].substr(0, 60) + "' and to '" +
              text.substr(0, 60) + "'");
  }
  model.tokens[at] = text;
}

template <class AnyJson>
void read_vocabulary(const AnyJson& tokenizer, TokenizerModel& model) {
  const AnyJson& bpe = member(tokenizer, "model");
  const std::string type = text_or_empty(member(bpe, "type"));
  const AnyJson &vocab = member(bpe, "vocab"), &merges = member(bpe, "merges"),
                &added = member(tokenizer, "added_tokens");
  if (type != "BPE" && !(type.empty() && merges.is_array()))
    refuse("has a model of type '" + type + "', expected 'BPE'");
  if (is_true(member(bpe, "byte_fallback"))) refuse("has byte_fallback, which is not supported");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!text_or_empty(member(bpe, key)).empty()) refuse(std::string("has a ") + key + ", which is not supported");
  }
  if (const AnyJson& dropout = member(bpe, "dropout"); dropout.is_number() && dropout.template get<double>() != 0) {
    refuse("has dropout, which is not supported");
  }
  if (!vocab.is_object() || !merges.is_array()) malformed("has no vocabulary or no merges");
  if (!added.is_array() && !added.is_null()) malformed("has added_tokens that are not a list");

  const std::size_t most = vocab.size() + added.size() + kMaxUnusedIds;
  for (const auto& [text, id] : vocab.items()) put_token(model, id_of(id, text), text, most);
  for (const AnyJson& token : added) {
    const std::string text = text_or_empty(member(token, "content"));
    if (text.empty()) malformed("has an added token without content");
    if (is_true(member(token, "single_word")))
      refuse("has the added token '" + text.substr(0, 60) + "' with single_word, which is not supported");
    const std::int32_t id = id_of(member(token, "id"), text);
    put_token(model, id, text, most);
    model.added.push_back({id, text, is_true(member(token, "special")), is_true(member(token, "lstrip")),
                           is_true(member(token, "rstrip"))});
  }
  model.merges.reserve(merges.size());
  for (const AnyJson& merge : merges) {
    if (merge.is_string()) {
      model.merges.push_back(merge.template get<std::string>());
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      model.merges.push_back(merge[0].template get<std::string>() + " " + merge[1].template get<std::string>());
    } else {
      malformed("has merge " + std::to_string(model.merges.size()) + " that is not a pair of tokens");
    }
  }
  model.ignore_merges = is_true(member(bpe, "ignore_merges"));
}

void read_normalizer(const Json& node, TokenizerModel& model) {
  if (node.is_null()) return;
  const std::string type = text_or_empty(member(node, "type"));
  const Json& parts = member(node, "normalizers");
  if (type == "NFC") {
    model.nfc = true;
  } else if (!(type == "Sequence" && parts.is_array() && parts.empty())) {
    refuse("has a normalizer of type '" + type + "', which is not supported");
  }
}

// Which of bos and eos the template of the post-processor puts around a text; true: there was a template.
bool read_template(const Json& node, const TokenizerModel& model, bool& add_bos, bool& add_eos, int depth = 0) {
  const std::string type = text_or_empty(member(node, "type"));
  if (type == "Sequence" && depth < 4) {
    bool found = false;
    for (const Json& part : member(node, "processors"))
      found |= read_template(part, model, add_bos, add_eos, depth + 1);
    return found;
  }
  if (type == "ByteLevel" || node.is_null()) return false;
  if (type != "TemplateProcessing") refuse("has a post_processor of type '" + type + "', which is not supported");
  bool after = false;
  for (const Json& part : member(node, "single")) {
    const Json& special = member(part, "SpecialToken");
    if (special.is_null()) {
      after = true;
      continue;
    }
    const std::string text = text_or_empty(member(special, "id"));
    const auto is = [&](std::int32_t id) { return id >= 0 && model.tokens[static_cast<std::size_t>(id)] == text; };
    if (after ? !is(model.eos) : !is(model.bos)) {
      refuse("puts '" + text.substr(0, 60) + "' " + (after ? "after" : "before") + " each text, which is not the " +
             (after ? "eos" : "bos") + " token of tokenizer_config.json");
    }
    (after ? add_eos : add_bos) = true;
  }
  return true;
}

std::int32_t named_token(const Json& config, const char* key, const TokenizerModel& model) {
  const Json& node = member(config, key);
  const std::string text = text_or_empty(node.is_object() ? member(node, "content") : node);
  if (text.empty()) return -1;
  const auto found = std::find(model.tokens.begin(), model.tokens.end(), text);
  if (found == model.tokens.end()) {
    throw Error(Exit::input,
                "tokenizer_config.json has " + std::string(key) + " '" + text.substr(0, 60) +
                    "', which tokenizer.json does not have",
                "correct " + std::string(key) + " in tokenizer_config.json");
  }
  return static_cast<std::int32_t>(found - model.tokens.begin());
}

template <class AnyJson>
TokenizerModel parse(const AnyJson& tokenizer, const Json& config) {
  if (!tokenizer.is_object()) malformed("is not a JSON object");
  if (!config.is_null() && !config.is_object())
    throw Error(Exit::input, "tokenizer_config.json is not a JSON object", "get the model again");
  TokenizerModel model;
  read_vocabulary(tokenizer, model);
  model.pre = parse_pre_tokenizer(Json(member(tokenizer, "pre_tokenizer")), model.ignore_merges);
  read_normalizer(Json(member(tokenizer, "normalizer")), model);
  model.bos = named_token(config, "bos_token", model);
  model.eos = named_token(config, "eos_token", model);
  model.unk = named_token(config, "unk_token", model);
  model.pad = named_token(config, "pad_token", model);
  if (!read_template(Json(member(tokenizer, "post_processor")), model, model.add_bos, model.add_eos)) {
    model.add_bos = model.bos >= 0 && is_true(member(config, "add_bos_token"));
    model.add_eos = model.eos >= 0 && is_true(member(config, "add_eos_token"));
  }
  if (!text_or_empty(member(member(tokenizer, "model"), "unk_token")).empty()) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::string letter = byte_to_letter(static_cast<unsigned char>(byte));
      if (!member(member(tokenizer, "model"), "vocab").contains(letter))
        refuse("has an unk_token and no token '" + letter + "', which is not supported");
    }
  }
  return model;
}

Json byte_level(bool trim_offsets) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", trim_offsets}, {"use_regex", true}};
}

// Puts bos and eos around a text (and around each of a pair).
Json template_processing(const TokenizerModel& model) {
  const auto add_special = [&](std::int32_t id, int type_id, Json& list) {
    list.push_back({{"SpecialToken", {{"id", model.tokens[static_cast<std::size_t>(id)]}, {"type_id", type_id}}}});
  };
  const bool bos = model.add_bos && model.bos >= 0, eos = model.add_eos && model.eos >= 0;
  Json single = Json::array(), pair = Json::array(), special = Json::object();
  for (int type_id = 0; type_id < 2; ++type_id) {
    if (bos) add_special(model.bos, type_id, pair);
    pair.push_back({{"Sequence", {{"id", type_id == 0 ? "A" : "B"}, {"type_id", type_id}}}});
    if (eos) add_special(model.eos, type_id, pair);
    if (type_id == 0) single = pair;
  }
  for (const auto& [used, id] : {std::pair(bos, model.bos), std::pair(eos, model.eos)}) {
    if (!used) continue;
    const std::string& text = model.tokens[static_cast<std::size_t>(id)];
    special[text] = {{"id", text}, {"ids", Json::array({id})}, {"tokens", Json::array({text})}};
  }
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
}

}  // namespace

TokenizerModel Tokenizer::parse_json(const Json& tokenizer, const Json& config) { return parse(tokenizer, config); }

TokenizerModel Tokenizer::parse_json_text(std::string_view tokenizer, const Json& config) {
  if (is_too_deep(tokenizer)) malformed("is nested more than " + std::to_string(kDeepestJson) + " deep");
  const auto json = json_of<nlohmann::json>(tokenizer);
  if (json.is_discarded()) malformed("is not valid JSON");
  return parse(json, config);
}

Json Tokenizer::to_json() const {
  const TokenizerModel& m = model();
  Json vocab = Json::object(), merges = Json::array(), added = Json::array();
  auto& entries =
      vocab.get_ref<Json::object_t&>();  // appended without a search for equal keys: the constructor has checked them
  entries.reserve(m.tokens.size());
  for (std::size_t id = 0; id < m.tokens.size(); ++id) {
    if (!m.tokens[id].empty()) entries.emplace_back(m.tokens[id], id);
  }
  for (const std::string& merge : m.merges) {
    const std::size_t space = merge.find(' ');
    merges.push_back(Json::array({merge.substr(0, space), merge.substr(space + 1)}));
  }
  std::vector<TokenizerModel::Added> by_id = m.added;
  std::sort(by_id.begin(), by_id.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const auto& token : by_id) {
    added.push_back({{"id", token.id},
                     {"content", token.text},
                     {"single_word", false},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", false},
                     {"special", token.special}});
  }
  const bool has_template = (m.add_bos && m.bos >= 0) || (m.add_eos && m.eos >= 0);
  Json post = byte_level(false);
  if (has_template) post = {{"type", "Sequence"}, {"processors", Json::array({post, template_processing(m)})}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", m.nfc ? Json{{"type", "NFC"}} : Json()},
          {"pre_tokenizer", PreTokenizer(m.pre).to_json()},
          {"post_processor", std::move(post)},
          {"decoder", byte_level(true)},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", m.ignore_merges},
            {"vocab", std::move(vocab)},
            {"merges", std::move(merges)}}}};
}

Json Tokenizer::config_json(const std::string& chat_template) const {
  const TokenizerModel& m = model();
  Json config = {{"add_bos_token", m.add_bos}, {"add_eos_token", m.add_eos}, {"clean_up_tokenization_spaces", false}};
  const std::pair<const char*, std::int32_t> named[] = {
      {"bos_token", m.bos}, {"eos_token", m.eos}, {"unk_token", m.unk}, {"pad_token", m.pad}};
  for (const auto& [key, id] : named) {
    config[key] = id >= 0 ? Json(m.tokens[static_cast<std::size_t>(id)]) : Json();
  }
  if (!chat_template.empty()) config["chat_template"] = chat_template;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  return config;
}

}  // namespace frugal
