#include "frugal/formats/gguf/llama_names.h"

#include "frugal/base/error.h"

namespace frugal {
namespace {
constexpr std::pair<const char*, const char*> kWhole[] = {{"model.embed_tokens.weight", "token_embd.weight"},
                                                          {"model.norm.weight", "output_norm.weight"},
                                                          {"lm_head.weight", "output.weight"}};
constexpr std::pair<const char*, const char*> kParts[] = {
    {"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"},
    {"self_attn.q_proj", "attn_q"},   {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},   {"self_attn.o_proj", "attn_output"},
    {"mlp.gate_proj", "ffn_gate"},    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"}};
}  // namespace

std::string gguf_name(const std::string& canonical) {
  for (const auto& [ours, theirs] : kWhole) {
    if (canonical == ours) return theirs;
  }
  const std::string prefix = "model.layers.";
  const auto layer_end = canonical.find('.', prefix.size()), kind = canonical.rfind('.');
  if (canonical.starts_with(prefix) && layer_end != std::string::npos && layer_end < kind) {
    const std::string part = canonical.substr(layer_end + 1, kind - layer_end - 1);
    for (const auto& [ours, theirs] : kParts) {
      if (part == ours)
        return "blk." + canonical.substr(prefix.size(), layer_end - prefix.size()) + "." + theirs +
               canonical.substr(kind);
    }
  }
  throw Error(Exit::internal, "no GGUF name for " + canonical, "report this with the model you used");
}

bool has_rotary_rows(const std::string& canonical) {
  return canonical.find(".q_proj.") != std::string::npos || canonical.find(".k_proj.") != std::string::npos;
}

}  // namespace frugal
