"""Writes what autograd of transformers finds for the tiny models of make_llama_golden.py.

usage: python scripts/make_gradient_golden.py frugal/nn/tests/golden
The loss is the mean cross-entropy of every next token of the sequences in logits.json, each run by itself in fp32. For each tensor:
its gradient's norm, its dot product with cos(0), cos(1), ... over the flattened tensor, and entries at every 97th place.
"""
import json
import os
import sys

import torch
import transformers
from transformers import LlamaForCausalLM

for name in ("tied", "biased", "llama3"):
    folder = os.path.join(sys.argv[1], name)
    sequences = json.load(open(os.path.join(folder, "logits.json")))["sequences"]
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    targets = sum(len(s) - 1 for s in sequences)
    loss = 0
    for s in sequences:
        if len(s) > 1:
            logits = model(torch.tensor([s])).logits[0, :-1]
            loss = loss + torch.nn.functional.cross_entropy(logits, torch.tensor(s[1:]), reduction="sum") / targets
    loss.backward()
    tensors = {}
    for key, parameter in model.named_parameters():
        g = parameter.grad.double().flatten()
        tensors[key] = dict(norm=g.norm().item(), dot=(g @ torch.cos(torch.arange(len(g), dtype=torch.float64))).item(),
                            entries=[round(v, 9) for v in g[::97].tolist()])
    with open(os.path.join(folder, "gradients.json"), "w") as out:
        json.dump(dict(script="make_gradient_golden.py", transformers=transformers.__version__, torch=torch.__version__,
                       loss=loss.item(), tensors=tensors), out)
