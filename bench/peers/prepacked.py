"""What it would gain to keep a model's weights in the layout in which oneDNN multiplies them: each linear of a layer as a plain bf16 product, as
ours makes it, and on weights packed beforehand. One thread, the two in turns, least of 7 rounds.

usage: python bench/peers/prepacked.py HF_FOLDER        (needs torch; one line of JSON a number of rows)
"""
import json
import sys
import time

import torch


def main():
    torch.set_num_threads(1)
    with open(sys.argv[1] + "/config.json", encoding="utf-8") as file:
        config = json.load(file)
    hidden, ffn = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes = [(q + 2 * kv, hidden), (hidden, q), (2 * ffn, hidden), (hidden, ffn)]
    for rows in (1, 8, 32, 128, 512):
        seconds = [0.0, 0.0]
        for out, width in shapes:
            x, w = torch.randn(rows, width).bfloat16(), torch.randn(out, width).bfloat16()
            y = torch.empty(rows, out, dtype=torch.bfloat16)
            packed = torch.ops.mkldnn._reorder_linear_weight(w, rows)
            arms = [lambda: torch.mm(x, w.t(), out=y), lambda: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")]
            least = [1e9, 1e9]
            for _ in range(7):
                for i, arm in enumerate(arms):
                    arm()
                    begin = time.perf_counter()
                    for _ in range(10):
                        arm()
                    least[i] = min(least[i], (time.perf_counter() - begin) / 10)
            seconds = [a + b for a, b in zip(seconds, least)]
        print(json.dumps(dict(rows=rows, plain_ms=1e3 * seconds[0], packed_ms=1e3 * seconds[1], plain_over_packed=seconds[0] / seconds[1])))


if __name__ == "__main__":
    main()
