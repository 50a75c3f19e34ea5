#!/usr/bin/env python3
"""Writes PEFT adapters of a small model with what PEFT computes from them, and NF4 codes by numpy.

usage: python scripts/make_adapter_golden.py
  frugal/formats/adapter/tests/golden/NAME/   the adapter as PEFT saves it, and golden.json: rows of the merged weights, and logits
  frugal/formats/tests/golden/nf4.json        values, codes and scales; bytes as hexadecimal digits
The model is frugal/nn/tests/golden/tied (scripts/make_llama_golden.py). Needs torch, transformers, peft, safetensors, numpy.
"""
import json
import os

import numpy as np
import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

ROOT = os.path.join(os.path.dirname(__file__), "..", "frugal")
BASE = os.path.join(ROOT, "nn", "tests", "golden", "tied")
SEED = 11
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
VARIANTS = {
    "lora": (torch.float32, dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], lora_dropout=0.05)),
    "rslora": (torch.bfloat16, dict(r=4, lora_alpha=8, target_modules=ALL, use_rslora=True)),
    "dora": (torch.float32, dict(r=4, lora_alpha=8, target_modules=["k_proj", "down_proj"], use_dora=True)),
    "patterns": (torch.float16, dict(r=4, lora_alpha=8, target_modules=r".*\.(0\.self_attn\.[qo]_proj|mlp\.down_proj)",
                                     rank_pattern={"down_proj": 2, "model.layers.0.self_attn.q_proj": 3},
                                     alpha_pattern={r"layers\.\d+\.mlp\.down_proj": 6.5})),
}


def make_adapter(name, dtype, options):
    torch.manual_seed(SEED)
    base = transformers.AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    before = {key: value.clone() for key, value in base.state_dict().items()}
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    model.peft_config["default"].base_model_name_or_path = "golden/tied"
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                noise = torch.randn_like(parameter) * 0.2
                value = parameter * (1 + noise) if "magnitude" in key else noise
                parameter.copy_(value.to(dtype))  # what the file holds
    folder = os.path.join(ROOT, "formats", "adapter", "tests", "golden", name)
    model.save_pretrained(folder, save_embedding_layers=False)
    os.remove(os.path.join(folder, "README.md"))
    weights = os.path.join(folder, "adapter_model.safetensors")
    save_file({key: value.to(dtype) for key, value in load_file(weights).items()}, weights, metadata={"format": "pt"})
    path = os.path.join(folder, "adapter_config.json")
    config = json.load(open(path))
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()  # a set: its order is that of the run
    with open(path, "w") as out:
        json.dump(config, out, indent=2, sort_keys=True)
        out.write("\n")

    sequences = [torch.randint(3, 61, (n,)).tolist() for n in (1, 5, 17)]
    with torch.no_grad():
        logits = [model(torch.tensor([s])).logits[0].double() for s in sequences]
    ranks = {key.split(".lora_A.")[0].removeprefix("base_model.model."): value.shape[0]
             for key, value in model.named_parameters() if ".lora_A." in key}
    merged = model.merge_and_unload().state_dict()
    modules = []
    for module, rank in ranks.items():
        after = merged[module + ".weight"]
        assert not torch.equal(after, before[module + ".weight"])
        rows = [0, 5, after.shape[0] - 1]
        modules.append(dict(module=module, rank=rank, rows=rows, merged=[[round(v, 6) for v in after[i].tolist()] for i in rows]))
    record = dict(script="make_adapter_golden.py", peft=peft.__version__, transformers=transformers.__version__,
                  torch=torch.__version__, seed=SEED, base="frugal/nn/tests/golden/tied", modules=modules, sequences=sequences,
                  # the last row's logits, and the log-probability of each next token
                  last=[[round(v, 7) for v in l[-1].tolist()] for l in logits],
                  next=[[round(v, 7) for v in torch.log_softmax(l[:-1], -1)[range(len(s) - 1), s[1:]].tolist()]
                        for l, s in zip(logits, sequences)])
    with open(os.path.join(folder, "golden.json"), "w") as out:
        json.dump(record, out)
        out.write("\n")


def make_nf4():
    codes = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                      -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
                      0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                      0.7229568362236023, 1.0])
    values = np.random.default_rng(SEED).normal(size=331).astype(np.float32)
    values[64:128] *= 1e-20
    values[128:192] = 0
    padded = np.zeros(384, np.float32)
    padded[:331] = values
    blocks = padded.reshape(-1, 64)
    absmax = np.abs(blocks).max(1)
    quotients = blocks / np.where(absmax == 0, np.float32(1), absmax)[:, None]  # fp32
    index = np.abs(quotients.astype(np.float64)[:, :, None] - codes).argmin(2).reshape(-1).astype(np.uint8)
    decoded = (codes.astype(np.float32)[index].reshape(-1, 64) * absmax[:, None]).reshape(-1)[:331]
    record = dict(made_by=f"scripts/make_adapter_golden.py, numpy {np.__version__}, seed {SEED}", values=values.tobytes().hex(),
                  absmax=absmax.tobytes().hex(), codes=(index[0::2] << 4 | index[1::2])[:166].tobytes().hex(),
                  decoded=decoded.tobytes().hex())
    with open(os.path.join(ROOT, "formats", "tests", "golden", "nf4.json"), "w") as out:
        json.dump(record, out, indent=1)
        out.write("\n")


for name, (dtype, options) in VARIANTS.items():
    make_adapter(name, dtype, options)
make_nf4()
