"""A GGUF model of random weights in a given shape, to measure what sizes cost: streamed to disk, a few megabytes of memory.

usage: python bench/random_model.py OUT.gguf --like MODEL.gguf --shape llama-2-7b [--type q4_0] [--context 8192] [--seed 1]
The tokenizer is that of MODEL, and with it the size of the vocabulary: real text can be trained on, and embedding and head have as many rows as
MODEL's, not as many as the shape's namesake. Needs numpy.
"""
import argparse
import os
import struct

import numpy

# hidden, layers, heads, key-value heads, feed-forward width, whether embedding and head are one
SHAPES = {
    "30m": (320, 12, 5, 5, 864, True),
    "smollm2-135m": (576, 30, 9, 3, 1536, True),
    "smollm2-360m": (960, 32, 15, 5, 2560, True),
    "tinyllama-1.1b": (2048, 22, 32, 4, 5632, False),
    "llama-3.2-3b": (3072, 28, 24, 8, 8192, True),
    "llama-2-7b": (4096, 32, 32, 32, 11008, False),
}
# of a block: id in the file, elements, bytes
TYPES = {"f32": (0, 1, 4), "bf16": (30, 1, 2), "q4_0": (2, 32, 18)}
DEVIATION = 0.02  # of the weights: normal in bf16, codes of one scale with this deviation in Q4_0
ALIGNMENT, PART = 32, 1 << 22  # elements made at a time
U32, F32, BOOL, TEXT, ARRAY = 4, 6, 7, 8, 9
SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def value_end(data, at, kind):
    """Where a metadata value of that kind ends."""
    if kind == TEXT:
        return at + 8 + struct.unpack_from("<Q", data, at)[0]
    if kind == ARRAY:
        kind, count = struct.unpack_from("<IQ", data, at)
        at += 12
        if kind != TEXT:
            return at + SCALARS[kind] * count
        for _ in range(count):
            at = value_end(data, at, TEXT)
        return at
    return at + SCALARS[kind]


def tokenizer_of(path):
    """The metadata of a GGUF file that begins with `tokenizer.`, as (bytes, entries), and the number of its tokens."""
    data = numpy.memmap(path, mode="r")
    if bytes(data[:4]) != b"GGUF":
        raise SystemExit(f"error: {path} is not a GGUF file\nfix: give a GGUF model that has a tokenizer with --like")
    entries, kept, words, at = struct.unpack_from("<Q", data, 16)[0], b"", 0, 24
    count = 0
    for _ in range(entries):
        begin, size = at, struct.unpack_from("<Q", data, at)[0]
        key = bytes(data[at + 8:at + 8 + size]).decode()
        at += 8 + size
        kind = struct.unpack_from("<I", data, at)[0]
        end = value_end(data, at + 4, kind)
        if key == "tokenizer.ggml.tokens":
            words = struct.unpack_from("<Q", data, at + 8)[0]
        if key.startswith("tokenizer."):
            kept += bytes(data[begin:end])
            count += 1
        at = end
    if words == 0:
        raise SystemExit(f"error: {path} has no tokenizer\nfix: give another GGUF model with --like")
    return kept, count, words


def tensors_of(shape, words):
    """(name, columns, rows; 0 rows: a vector) in the order of the layers."""
    hidden, layers, heads, kv_heads, ffn, tied = shape
    kv = hidden // heads * kv_heads
    yield "token_embd.weight", hidden, words
    for i in range(layers):
        yield f"blk.{i}.attn_norm.weight", hidden, 0
        yield f"blk.{i}.ffn_norm.weight", hidden, 0
        for name, columns, rows in [("attn_q", hidden, hidden), ("attn_k", hidden, kv), ("attn_v", hidden, kv), ("attn_output", hidden, hidden),
                                    ("ffn_gate", hidden, ffn), ("ffn_up", hidden, ffn), ("ffn_down", ffn, hidden)]:
            yield f"blk.{i}.{name}.weight", columns, rows
    yield "output_norm.weight", hidden, 0
    if not tied:
        yield "output.weight", hidden, words


def parts(kind, elements, random):
    """The bytes of so many random weights, a part at a time."""
    for begin in range(0, elements, PART):
        n = min(PART, elements - begin)
        if kind == "q4_0":  # codes 0 to 15 stand for -8 to 7: their deviation is sqrt(255 / 12)
            blocks = numpy.empty((n // 32, 18), numpy.uint8)
            blocks[:, :2] = numpy.frombuffer(numpy.float16(DEVIATION / (255 / 12)**0.5).tobytes(), numpy.uint8)
            blocks[:, 2:] = numpy.frombuffer(random.bytes(n // 2), numpy.uint8).reshape(-1, 16)
            yield blocks.tobytes()
        else:
            values = random.standard_normal(n, numpy.float32) * numpy.float32(DEVIATION)
            yield values.tobytes() if kind == "f32" else (values.view(numpy.uint32) + 0x8000 >> 16).astype(numpy.uint16).tobytes()


def write(path, shape, kind, like, context=8192, seed=1):
    """Returns the number of weights."""
    hidden, layers, heads, kv_heads, ffn, _ = shape
    tokenizer, count, words = tokenizer_of(like)
    numbers = {"llama.vocab_size": words, "llama.context_length": context, "llama.embedding_length": hidden, "llama.block_count": layers,
               "llama.feed_forward_length": ffn, "llama.attention.head_count": heads, "llama.attention.head_count_kv": kv_heads,
               "llama.rope.dimension_count": hidden // heads}
    head = text("general.architecture") + struct.pack("<I", TEXT) + text("llama")
    head += text("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", F32, 1e-5)
    head += text("llama.rope.freq_base") + struct.pack("<If", F32, 10000.0)
    for key, value in numbers.items():
        head += text(key) + struct.pack("<II", U32, value)
    tensors, offset, list_of = list(tensors_of(shape, words)), 0, b""
    for name, columns, rows in tensors:
        number, elements, size = TYPES["f32" if rows == 0 else kind]
        if columns % elements != 0:
            raise SystemExit(f"error: {name} has rows of {columns}, not a multiple of {elements}\nfix: choose --type bf16")
        sizes = [columns, rows] if rows else [columns]
        list_of += text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, number, offset)
        offset += -(-columns * max(1, rows) // elements * size // ALIGNMENT) * ALIGNMENT
    random = numpy.random.Generator(numpy.random.SFC64(seed))
    with open(path + ".part", "wb") as file:
        def pad():
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), 3 + len(numbers) + count) + head + tokenizer + list_of)
        pad()
        for _, columns, rows in tensors:
            if rows == 0:
                file.write(numpy.ones(columns, numpy.float32).tobytes())
            else:
                for part in parts(kind, columns * rows, random):
                    file.write(part)
            pad()
    os.rename(path + ".part", path)
    return sum(columns * max(1, rows) for _, columns, rows in tensors)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--like", required=True)
    parser.add_argument("--shape", required=True, choices=SHAPES)
    parser.add_argument("--type", default="q4_0", choices=TYPES)
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if os.path.exists(args.out):
        raise SystemExit(f"error: {args.out} is there already\nfix: name another file, or remove it first")
    weights = write(args.out, SHAPES[args.shape], args.type, args.like, args.context, args.seed)
    print(f"{args.out}: {weights / 1e6:.0f} million weights, {os.path.getsize(args.out) / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
