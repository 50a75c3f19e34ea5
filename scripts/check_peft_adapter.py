#!/usr/bin/env python3
"""Loads an adapter with PEFT and prints the logits after the last of the given tokens.

usage: python scripts/check_peft_adapter.py MODEL_DIR ADAPTER_DIR [TOKEN ID]...
One JSON object on stdout: modules (how many linears carry factors), tokens, last (fp32 logits), next (log-probability of each token
after the first). Fails when PEFT finds a tensor missing or left over. Needs torch, transformers and peft.
"""
import json
import sys
import warnings

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM

warnings.simplefilter("error")  # PEFT warns of missing and unknown keys and goes on
warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", category=FutureWarning)

model_dir, adapter_dir = sys.argv[1:3]
tokens = [int(word) for word in sys.argv[3:]] or [1]
base = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
model = PeftModel.from_pretrained(base, adapter_dir).eval()
with torch.no_grad():
    logits = model(torch.tensor([tokens])).logits[0].double()
following = torch.log_softmax(logits[:-1], -1)[range(len(tokens) - 1), tokens[1:]].tolist()
print(json.dumps(dict(modules=sum(isinstance(m, LoraLayer) for m in model.modules()), tokens=tokens, last=logits[-1].tolist(), next=following)))
