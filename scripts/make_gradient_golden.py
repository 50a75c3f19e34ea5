"""Writes what autograd of transformers, and of PEFT for an adapter with magnitudes, finds for tiny models.

usage: python scripts/make_gradient_golden.py
  frugal/nn/tests/golden/NAME/gradients.json                  of the models of make_llama_golden.py, over the sequences in logits.json
  frugal/formats/adapter/tests/golden/dora/gradients.json     of the adapter of make_adapter_golden.py, over those in its golden.json
The loss is the mean cross-entropy of every next token of the sequences, each run by itself in fp32. For each tensor: its gradient's norm,
its dot product with cos(0), cos(1), ... over the flattened tensor, and entries at every 97th place.
"""
import json
import os

import peft
import torch
import transformers
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from make_llama_golden import unequal_model

ROOT = os.path.join(os.path.dirname(__file__), "..", "frugal")


def write_gradients(model, sequences, name_of, path, **versions):
    targets = sum(len(s) - 1 for s in sequences)
    loss = 0
    for s in sequences:
        if len(s) > 1:
            logits = model(torch.tensor([s])).logits[0, :-1]
            loss = loss + torch.nn.functional.cross_entropy(logits, torch.tensor(s[1:]), reduction="sum") / targets
    loss.backward()
    tensors = {}
    for key, parameter in model.named_parameters():
        if parameter.grad is None:
            continue
        g = parameter.grad.double().flatten()
        tensors[name_of(key)] = dict(norm=g.norm().item(), dot=(g @ torch.cos(torch.arange(len(g), dtype=torch.float64))).item(),
                                     entries=[round(v, 9) for v in g[::97].tolist()])
    with open(path, "w") as out:
        json.dump(dict(script="make_gradient_golden.py", transformers=transformers.__version__, torch=torch.__version__, **versions,
                       loss=loss.item(), tensors=tensors), out)


def base(name):
    return os.path.join(ROOT, "nn", "tests", "golden", name)


def load(name):
    if name != "unequal":
        return LlamaForCausalLM.from_pretrained(base(name), dtype=torch.float32)
    model = unequal_model()
    model.load_state_dict(load_file(os.path.join(base(name), "model.safetensors")), strict=False)  # but for the tied head
    return model


for name in ("tied", "biased", "llama3", "unequal"):
    sequences = json.load(open(os.path.join(base(name), "logits.json")))["sequences"]
    write_gradients(load(name), sequences, lambda key: key,
                    os.path.join(base(name), "gradients.json"))

folder = os.path.join(ROOT, "formats", "adapter", "tests", "golden", "dora")
adapted = peft.PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base("tied"), dtype=torch.float32), folder, is_trainable=True)
write_gradients(adapted, json.load(open(os.path.join(folder, "golden.json")))["sequences"],
                lambda key: key.removeprefix("base_model.model.").replace(".default", "").replace("magnitude_vector.weight", "magnitude_vector"),
                os.path.join(folder, "gradients.json"), peft=peft.__version__)
