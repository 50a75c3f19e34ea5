#!/usr/bin/env python3
"""Writes what llama.cpp's own quantiser does, without an importance matrix, in an environment that has llama-cpp-python, gguf and numpy.

Usage: make_quantize_golden.py MODEL.gguf      MODEL: SmolLM2-135M-Instruct.Q4_1, whose matrices are taken as fp32
  frugal/formats/ggml/tests/golden/quantize.json     values of several kinds, and the root mean square error of their blocks of every type
  frugal/formats/tests/golden/smollm2_errors.json    the same error of matrices of MODEL
  frugal/formats/gguf/tests/golden/mixes.json        the type of every matrix in every file type, for models of several shapes
"""
import ctypes
import json
import os
import sys
import tempfile

import gguf
import llama_cpp
import numpy as np
from gguf import GGMLQuantizationType as Type

FORMATS = os.path.join(os.path.dirname(__file__), "..", "frugal", "formats")
TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
FILE_TYPES = {"q8_0": 7, "q6_k": 18, "q5_k_m": 17, "q5_k_s": 16, "q5_1": 9, "q5_0": 8, "q4_k_m": 15, "q4_k_s": 14, "q4_1": 3, "q4_0": 2}
SEED = 11
MADE_BY = f"scripts/make_quantize_golden.py, llama-cpp-python {llama_cpp.__version__}, numpy {np.__version__}, seed {SEED}"

library = os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so")
quantize_chunk = ctypes.CDLL(library).ggml_quantize_chunk
quantize_chunk.restype = ctypes.c_size_t
quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]


def write(path, value):
    path = os.path.join(FORMATS, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        json.dump(value, out, indent=1)
        out.write("\n")


def rms_error(values, name):
    """Of values [rows, columns] in blocks of the type; columns that K-quants cannot hold go over the ends of rows."""
    elements, size = gguf.GGML_QUANT_SIZES[Type[name]]
    values = np.ascontiguousarray(values, np.float32).reshape(-1, elements)
    blocks = np.empty((len(values), size), np.uint8)
    quantize_chunk(Type[name].value, values.ctypes.data, blocks.ctypes.data, 0, len(values), elements, None)
    rest = gguf.dequantize(blocks, Type[name]).astype(np.float64) - values
    return float(np.sqrt((rest**2).mean()))


def make_values():
    random = np.random.default_rng(SEED)
    kinds = {"normal": random.normal(scale=0.05, size=512), "heavy tails": random.standard_t(3, size=512) * 0.02, "positive": np.abs(random.normal(size=512)),
             "an outlier": np.where(np.arange(512) % 300 == 7, 3, random.normal(scale=0.01, size=512)), "uniform": random.uniform(-1, 0.2, 512)}
    golden = {"made_by": MADE_BY, "kinds": {}}
    for kind, values in kinds.items():
        values = values.astype(np.float32)
        golden["kinds"][kind] = {"values": values.tobytes().hex(), "errors": {name: rms_error(values, name) for name in TYPES}}
    write("ggml/tests/golden/quantize.json", golden)


def make_errors(path):
    golden = {"made_by": MADE_BY, "matrices": []}
    for tensor in gguf.GGUFReader(path).tensors:
        if len(tensor.shape) != 2 or not tensor.name.startswith(("blk.0.", "blk.7.", "blk.29.", "token_embd")):
            continue
        columns, rows = (int(size) for size in tensor.shape)
        values = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(rows, columns)[:4096]
        golden["matrices"].append({"name": tensor.name, "rows": len(values), "errors": {name: float(f"{rms_error(values, name):.6g}") for name in TYPES}})
    write("tests/golden/smollm2_errors.json", golden)


# Two rows a matrix: llama.cpp's choice reads columns, layers and head counts.
def write_model(path, hidden, layers, tied):
    uniform = all(layer == layers[0] for layer in layers)
    writer = gguf.GGUFWriter(path, "llama" if uniform else "deci")
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_block_count(len(layers))
    writer.add_feed_forward_length(layers[0][2] if uniform else [layer[2] for layer in layers])
    writer.add_head_count(layers[0][0] if uniform else [layer[0] for layer in layers])
    writer.add_head_count_kv(layers[0][1] if uniform else [layer[1] for layer in layers])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(64)
    writer.add_key_length(64)
    writer.add_value_length(64)
    writer.add_vocab_size(2)

    def add(name, columns):
        writer.add_tensor(name, np.linspace(-1, 1, 2 * columns, dtype=np.float32).reshape(2, columns))

    add("token_embd.weight", hidden)
    for i, (heads, kv_heads, ffn) in enumerate(layers):
        if heads:
            for part, columns in [("attn_q", hidden), ("attn_k", hidden), ("attn_v", hidden), ("attn_output", heads * 64)]:
                add(f"blk.{i}.{part}.weight", columns)
        if ffn:
            for part, columns in [("ffn_gate", hidden), ("ffn_up", hidden), ("ffn_down", ffn)]:
                add(f"blk.{i}.{part}.weight", columns)
    if not tied:
        add("output.weight", hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def summary(types):
    """{"attn_v": "Q6_K 0-3, Q4_K 4-5", "token_embd": "Q6_K"} of {"blk.0.attn_v": "Q6_K", ...}: runs of layers, in their order."""
    runs = {}
    for name, kind in sorted(types.items(), key=lambda item: int(item[0].split(".")[1]) if item[0].startswith("blk.") else -1):
        if not name.startswith("blk."):
            runs[name] = kind
            continue
        _, layer, part = name.split(".")
        layer, known = int(layer), runs.setdefault(part, [])
        if known and known[-1][0] == kind and known[-1][2] == layer - 1:
            known[-1][2] = layer
        else:
            known.append([kind, layer, layer])
    return {part: known if isinstance(known, str) else ", ".join(f"{kind} {first}-{last}" for kind, first, last in known) for part, known in runs.items()}


def make_mixes():
    pruned = [[8, 2, 1024], [6, 2, 512], [0, 0, 768], [0, 0, 0], [8, 2, 1000], [2, 1, 256], [8, 2, 1024], [6, 2, 640], [8, 2, 1024]]
    shapes = {"SmolLM2-135M": (576, [[9, 3, 1536]] * 30, True), "512 columns": (512, [[8, 2, 1376]] * 8, False), "2048 columns": (2048, [[32, 4, 5632]] * 22, False),
              "80 layers": (256, [[4, 2, 512]] * 80, True), "layers that differ": (512, pruned, True)}
    golden = {"made_by": MADE_BY, "shapes": []}
    with tempfile.TemporaryDirectory() as folder:
        for name, (hidden, layers, tied) in shapes.items():
            model, out = os.path.join(folder, "m.gguf"), os.path.join(folder, "q.gguf")
            write_model(model, hidden, layers, tied)
            entry = {"name": name, "hidden": hidden, "layers": layers, "tied": tied, "types": {}}
            for dtype, file_type in FILE_TYPES.items():
                params = llama_cpp.llama_model_quantize_default_params()
                params.ftype, params.nthread = file_type, 1
                if llama_cpp.llama_model_quantize(model.encode(), out.encode(), ctypes.byref(params)) != 0:
                    sys.exit(f"llama.cpp does not quantise {name} to {dtype}")
                reader = gguf.GGUFReader(out)
                assert int(reader.fields["general.file_type"].parts[-1][0]) == file_type
                entry["types"][dtype] = summary({t.name.removesuffix(".weight"): t.tensor_type.name for t in reader.tensors})
            golden["shapes"].append(entry)
    write("gguf/tests/golden/mixes.json", golden)


make_values()
make_errors(sys.argv[1])
make_mixes()
