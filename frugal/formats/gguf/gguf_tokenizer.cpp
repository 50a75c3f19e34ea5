#include "frugal/base/error.h"
#include "frugal/formats/gguf/gguf_model.h"
#include "frugal/formats/gguf/gguf_writer.h"
#include "frugal/formats/names.h"

namespace frugal {
namespace {
constexpr int kNormal = 1, kControl = 3, kUserDefined = 4;  // tokenizer.ggml.token_type
}

TokenizerModel tokenizer_from_gguf(const GgufFile& file, const std::string& name) {
  const auto fail = [&](const std::string& what) {
    return Error(Exit::input, name + ": " + what, "use a model with a byte-level BPE tokenizer");
  };
  const auto find = [&](const char* key) -> const Json* {
    const auto found = file.metadata.find(std::string("tokenizer.ggml.") + key);
    return found == file.metadata.end() ? nullptr : &found->second;
  };
  const auto texts = [&](const char* key) {
    auto values = file.texts(std::string("tokenizer.ggml.") + key);
    const Json* value = find(key);
    if (values.empty() && (value == nullptr || !value->is_array() || !value->empty())) {
      throw fail("metadata 'tokenizer.ggml." + std::string(key) + "' is missing");
    }
    return values;
  };
  const Json* kind = find("model");
  if (kind == nullptr) throw fail("the file has no tokenizer");
  if (*kind != "gpt2")
    throw fail("the tokenizer is " + printable(kind->is_string() ? kind->get<std::string>() : kind->dump()) +
               ", known is gpt2 (byte-level BPE)");
  TokenizerModel model;
  model.tokens = texts("tokens");
  model.merges = texts("merges");
  const std::vector<std::int64_t> types = file.integers("tokenizer.ggml.token_type");
  for (std::size_t i = 0; i < types.size() && i < model.tokens.size(); ++i) {
    if (types[i] == kControl || types[i] == kUserDefined)
      model.added.push_back({static_cast<std::int32_t>(i), model.tokens[i], types[i] == kControl});
  }
  const Json* pre = find("pre");
  model.pre = pre != nullptr && pre->is_string() ? pre->get<std::string>() : "gpt-2";
  const auto id = [&](const char* key) -> std::int32_t {
    const Json* value = find(key);
    if (value == nullptr) return -1;
    if (!value->is_number_integer() || value->get<std::int64_t>() < 0 ||
        value->get<std::int64_t>() >= static_cast<std::int64_t>(model.tokens.size())) {
      throw fail("tokenizer.ggml." + std::string(key) + " is " + value->dump().substr(0, 40) + ", the vocabulary has " +
                 std::to_string(model.tokens.size()) + " tokens");
    }
    return value->get<std::int32_t>();
  };
  model.bos = id("bos_token_id");
  model.eos = id("eos_token_id");
  model.unk = id("unknown_token_id");
  model.pad = id("padding_token_id");
  const auto flag = [&](const char* key) { return find(key) != nullptr && *find(key) == true; };
  model.add_bos = flag("add_bos_token");
  model.add_eos = flag("add_eos_token");
  return model;
}

void require_gguf(const TokenizerModel& model) {
  if (model.pre.starts_with('[') || model.nfc) {
    throw Error(Exit::input, "the tokenizer splits or normalises text in a way GGUF has no name for",
                "export a Hugging Face folder");
  }
}

void write_tokenizer(GgufWriter& out, const TokenizerModel& model) {
  require_gguf(model);
  std::vector<std::int32_t> types(model.tokens.size(), kNormal);
  std::vector<std::string> tokens = model.tokens;
  for (const auto& added : model.added) {
    types[static_cast<std::size_t>(added.id)] = added.special ? kControl : kUserDefined;
    tokens[static_cast<std::size_t>(added.id)] = added.text;
  }
  out.set_text("tokenizer.ggml.model", "gpt2");
  out.set_text("tokenizer.ggml.pre", model.pre);
  out.set_texts("tokenizer.ggml.tokens", tokens);
  out.set_i32s("tokenizer.ggml.token_type", types);
  out.set_texts("tokenizer.ggml.merges", model.merges);
  const auto id = [&](const char* key, std::int32_t value) {
    if (value >= 0) out.set_u32(key, static_cast<std::uint32_t>(value));
  };
  id("tokenizer.ggml.bos_token_id", model.bos);
  id("tokenizer.ggml.eos_token_id", model.eos);
  id("tokenizer.ggml.unknown_token_id", model.unk);
  id("tokenizer.ggml.padding_token_id", model.pad);
  out.set_bool("tokenizer.ggml.add_bos_token", model.add_bos);
  out.set_bool("tokenizer.ggml.add_eos_token", model.add_eos);
  out.set_bool("tokenizer.ggml.add_space_prefix", false);
}

}  // namespace frugal
