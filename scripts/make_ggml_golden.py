#!/usr/bin/env python3
"""Writes reference values for GGUF's element types and row order.

Usage: make_ggml_golden.py [model.gguf]
  frugal/formats/ggml/tests/golden/blocks.json      random blocks of every type and their fp32 values by the `gguf` package,
                                                    and its Q8_0 blocks of random values; bytes as hexadecimal digits
  frugal/formats/tests/golden/smollm2_rows.json     rows of tensors of model.gguf (SmolLM2-135M-Instruct.Q4_1) as transformers
                                                    loads them, when given
"""
import json
import os
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

FORMATS = os.path.join(os.path.dirname(__file__), "..", "frugal", "formats")
TYPES = ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
# Byte offsets of the binary16 scales of a block: random bytes there would give infinities and NaN.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
SEED = 7


def write(path, value):
    path = os.path.join(FORMATS, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        json.dump(value, out, indent=1)
        out.write("\n")


def hexadecimal(array):
    return np.ascontiguousarray(array).tobytes().hex()


def random_blocks(random, name):
    elements, size = gguf.GGML_QUANT_SIZES[Type[name]]
    count = 64 if elements == 1 else 3 if elements == 32 else 2
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    if name == "F16":  # every kind of finite number, subnormal ones included
        values = random.integers(0, 0x7C00, count).astype(np.uint16) | (random.integers(0, 2, count) << 15).astype(np.uint16)
        values[:4] = [0, 0x8000, 1, 0x03FF]
        return values.view(np.uint8).reshape(count, 2)
    if name == "BF16":
        values = random.normal(size=count).astype(np.float32).view(np.uint32) >> 16
        return values.astype(np.uint16).view(np.uint8).reshape(count, 2)
    for offset in SCALES[name]:
        scales = random.normal(scale=0.1, size=count).astype(np.float16)
        blocks[:, offset : offset + 2] = scales.view(np.uint8).reshape(count, 2)
    return blocks


def make_blocks():
    random = np.random.default_rng(SEED)
    golden = {"made_by": f"scripts/make_ggml_golden.py, numpy {np.__version__}, seed {SEED}", "types": {}}
    for name in TYPES:
        blocks = random_blocks(random, name)
        values = gguf.dequantize(blocks, Type[name]).astype(np.float32)
        golden["types"][name] = {"blocks": hexadecimal(blocks), "values": hexadecimal(values)}
    values = random.normal(size=(4, 32)).astype(np.float32)
    values[1] = 0
    values[2] = np.arange(-16, 16) * 0.5  # the largest is 8
    values[2, 0] = 127  # so that halves are ties
    golden["q8_0"] = {"values": hexadecimal(values), "blocks": hexadecimal(gguf.quantize(values, Type.Q8_0))}
    write("ggml/tests/golden/blocks.json", golden)


def make_rows(path):
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype="float32")
    state, rows = model.state_dict(), []
    for name in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.down_proj"]:
        for row in [0, 1, 31, 32, 33, 100]:
            tensor = f"model.layers.3.{name}.weight"
            rows.append({"tensor": tensor, "row": row, "first": hexadecimal(state[tensor][row, :8].numpy())})
    write("tests/golden/smollm2_rows.json", {"made_by": f"scripts/make_ggml_golden.py, transformers {transformers.__version__}", "rows": rows})


make_blocks()
if len(sys.argv) > 1:
    make_rows(sys.argv[1])
