"""What first-order training reaches on the same prompts and steps: AdamW in PyTorch on all weights, the ceiling for forward-only methods, or
on PEFT's low-rank pairs.

usage: python bench/adamw_ceiling.py HF_DIR TRAIN.jsonl DEV.jsonl TEMPLATE NEGATIVE,POSITIVE STEPS LR SEED [EVAL_EVERY [LORA_RANK]]
Prints a JSON line per evaluation: step, seconds of training, accuracy and loss over the label words.
"""
import json
import random
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, train_file, dev_file, template, labels, steps, lr, seed = sys.argv[1:9]
steps, lr, seed = int(steps), float(lr), int(seed)
every = int(sys.argv[9]) if len(sys.argv) > 9 else steps
template = template.encode().decode("unicode_escape")
labels = labels.split(",")
rank = int(sys.argv[10]) if len(sys.argv) > 10 else 0
torch.manual_seed(seed)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
if rank:
    from peft import LoraConfig, get_peft_model
    linears = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=linears)).base_model.model
words = [tokenizer(" " + label, add_special_tokens=False)["input_ids"][0] for label in labels]


def read(path):
    rows = [json.loads(line) for line in open(path, encoding="utf-8")]
    return [(tokenizer(template.replace("{text}", r["text"]), add_special_tokens=False)["input_ids"], labels.index(r["label"])) for r in rows]


def scores(batch):
    longest = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in batch])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in batch])
    last = torch.tensor([len(ids) - 1 for ids, _ in batch])
    hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state[torch.arange(len(batch)), last]
    return hidden @ model.lm_head.weight[words].T, torch.tensor([label for _, label in batch])


def evaluate(step, seconds):
    model.eval()
    right = loss = 0
    rows = sorted(dev, key=lambda r: len(r[0]))
    with torch.inference_mode():
        for i in range(0, len(rows), 32):
            s, y = scores(rows[i:i + 32])
            right += (s.argmax(-1) == y).sum().item()
            loss += torch.nn.functional.cross_entropy(s, y, reduction="sum").item()
    print(json.dumps(dict(step=step, seconds=round(seconds, 1), accuracy=right / len(rows), loss=loss / len(rows), lr=lr, seed=seed)), flush=True)


train, dev = read(train_file), read(dev_file)
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=0)
order, seconds = [], 0.0
evaluate(0, 0)
for step in range(1, steps + 1):
    start = time.perf_counter()
    if len(order) < 16:
        order = random.Random(seed * 1000 + step).sample(range(len(train)), len(train))
    batch, order = [train[i] for i in order[:16]], order[16:]
    model.train()
    loss = torch.nn.functional.cross_entropy(*scores(batch))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    seconds += time.perf_counter() - start
    if step % every == 0:
        evaluate(step, seconds)
