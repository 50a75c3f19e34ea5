"""Writes tiny random llama models and what transformers computes with them.

usage: python scripts/make_llama_golden.py frugal/nn/tests/golden
Reference: transformers' LlamaForCausalLM in fp32; versions and seed are in each logits.json.
"""
import json
import os
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

SEED = 7
common = dict(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)
variants = {
    "tied": dict(tie_word_embeddings=True, head_dim=8, rope_theta=10000.0),
    "biased": dict(tie_word_embeddings=False, head_dim=6, rope_theta=500.0, attention_bias=True, mlp_bias=True),
    "llama3": dict(tie_word_embeddings=False, head_dim=8, rope_theta=1000.0,
                   rope_scaling=dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                     original_max_position_embeddings=32)),
}


class Nothing(torch.nn.Module):
    """In place of a block that a layer has not."""

    def forward(self, hidden_states, **_):
        return torch.zeros_like(hidden_states), None


class NoFeedForward(torch.nn.Module):
    def forward(self, hidden_states):
        return torch.zeros_like(hidden_states)


# Layers that differ, as per_layer_config writes them: transformers' layers of as many configurations, put together by hand.
unequal = {"1": dict(num_attention_heads=2, num_key_value_heads=1, intermediate_size=24), "2": dict(skip=["attention"], intermediate_size=56),
           "3": dict(num_attention_heads=6, skip=["mlp"])}


def unequal_model():
    config = dict(common, num_hidden_layers=4, tie_word_embeddings=True, head_dim=8, rope_theta=10000.0,
                  attn_implementation="eager")
    model = LlamaForCausalLM(LlamaConfig(**config))
    for i in range(4):
        entry = dict(unequal.get(str(i), {}))
        skip = entry.pop("skip", [])
        layer = LlamaDecoderLayer(LlamaConfig(**dict(config, **entry)), i)
        if "attention" in skip:
            layer.self_attn, layer.input_layernorm = Nothing(), torch.nn.Identity()
        if "mlp" in skip:
            layer.mlp, layer.post_attention_layernorm = NoFeedForward(), torch.nn.Identity()
        model.model.layers[i] = layer
    return model


def save(model, folder, name):
    if name != "unequal":
        return model.save_pretrained(folder)
    os.makedirs(folder, exist_ok=True)
    save_file({key: value.contiguous() for key, value in model.state_dict().items() if key != "lm_head.weight"},
              os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    config = {key: value for key, value in model.config.to_dict().items() if key != "layer_types"}
    with open(os.path.join(folder, "config.json"), "w") as out:
        json.dump(dict(config, per_layer_config=unequal), out, indent=2)


def make(name):
    if name == "unequal":
        return unequal_model()
    return LlamaForCausalLM(LlamaConfig(**common, **variants[name]))


def main(folders):
    for name in [*variants, "unequal"]:
        write(name, os.path.join(folders, name))


def write(name, folder):
    torch.manual_seed(SEED)
    model = make(name).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.25 + (1.0 if parameter.dim() == 1 and parameter.shape[0] == 24 else 0.0))
    sequences = [torch.randint(3, 61, (n,)).tolist() for n in (1, 5, 17, 40)]
    with torch.no_grad():
        logits = [model(torch.tensor([s])).logits[0].double() for s in sequences]
    save(model, folder, name)
    for file in ("generation_config.json",):
        if os.path.exists(os.path.join(folder, file)):
            os.remove(os.path.join(folder, file))
    record = dict(script="make_llama_golden.py", transformers=transformers.__version__, torch=torch.__version__, seed=SEED,
                  sequences=sequences,
                  # the last row's logits, and the log-probability of each next token
                  last=[[round(v, 7) for v in l[-1].tolist()] for l in logits],
                  next=[[round(v, 7) for v in torch.log_softmax(l[:-1], -1)[range(len(s) - 1), s[1:]].tolist()]
                        for l, s in zip(logits, sequences)])
    with open(os.path.join(folder, "logits.json"), "w") as out:
        json.dump(record, out)


if __name__ == "__main__":
    main(sys.argv[1])
