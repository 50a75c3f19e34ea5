// What transformers needs to load a folder whose layers differ: config.json names it in auto_map, and whoever loads it
// says trust_remote_code. transformers reads per_layer_config since 5.23, its llama does not.
#pragma once

namespace frugal {

inline constexpr const char* kModelingFile = "modeling_frugal_llama.py";
inline constexpr const char* kModelingCode =
    R"py("""Llama whose layers differ in size, or lack a block, as per_layer_config says."""
from torch import nn
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaForCausalLM


class FrugalLlamaConfig(LlamaConfig):
    def validate(self):  # llama checks heads of all layers, which differ; head_dim is given
        pass


class FrugalLlamaLayer(LlamaDecoderLayer):
    def __init__(self, config, layer_idx):
        super().__init__(config, layer_idx)
        if "attention" in config.skip:
            self.input_layernorm = self.self_attn = None
        if "mlp" in config.skip:
            self.post_attention_layernorm = self.mlp = None

    def forward(self, hidden_states, **kwargs):
        if self.self_attn is not None:
            attended = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **kwargs)[0]
            hidden_states = hidden_states + attended
        if self.mlp is not None:
            hidden_states = hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))
        return hidden_states


class FrugalLlamaForCausalLM(LlamaForCausalLM):
    config_class = FrugalLlamaConfig
    _no_split_modules = ["FrugalLlamaLayer"]

    def __init__(self, config):
        count, config.num_hidden_layers = config.num_hidden_layers, 0
        super().__init__(config)
        config.num_hidden_layers = count
        layers = self.model.layers
        for layer in config.per_layer_config:
            # An attention is numbered among attentions: the first one's cache says how far the text is.
            layers.append(FrugalLlamaLayer(layer, sum(other.self_attn is not None for other in layers)))
        self.post_init()
)py";

}  // namespace frugal
