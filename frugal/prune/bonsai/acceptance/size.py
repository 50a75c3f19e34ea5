"""The same bytes by quantisation alone, by pruning alone, and by both: quality against bytes and tokens a second."""
DTYPES = ["bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0"]  # of the whole model
PRUNED_DTYPES = ["bf16", "q8_0", "q6_k", "q4_k_m"]
PROMPT = "The history of the city begins"


def speed_of(runner, file):
    """Tokens a second from the weights as the file has them, one stream, greedy: the best of three."""
    return max(runner.call("generate", file, "--prompt", PROMPT, "--greedy", "--max-new-tokens", 64, "--weights", "stored",
                           "--json")["tokens_per_second"] for _ in range(3))


def run(runner, given, texts):
    sources = {"whole": runner.model}
    for goal in ["0.2", "0.3", "0.5"]:
        name = f"bonsai-quick-1-{goal}" if goal != "0.5" else "bonsai-quick-1"
        sources[f"pruned {goal}"] = runner.work / name
        if (runner.work / f"{name}-adapted").exists():
            sources[f"pruned {goal}, adapted"] = runner.work / f"{name}-adapted"
    rows = []
    for label, source in sources.items():
        for dtype in DTYPES if label == "whole" else PRUNED_DTYPES:
            stem = f"{label.replace(' ', '-').replace(',', '')}-{dtype}"
            file = runner.work / f"{stem}.gguf"
            if not file.exists():
                runner.call("convert", source, "--dtype", dtype, "--out", file, "--json", "--quiet")
            losses = runner.losses(file, stem, texts)
            speed = runner.once(f"{stem}.speed", lambda: speed_of(runner, file))
            rows.append({"model": label, "dtype": dtype, "bytes": file.stat().st_size, "tokens_per_second": speed,
                         **losses})
    print("| model | dtype | MB | tokens/s | " + " | ".join(texts) + " |")
    print("| --- " * (4 + len(texts)) + "|")
    for row in sorted(rows, key=lambda row: row["bytes"]):
        print(f"| {row['model']} | {row['dtype']} | {row['bytes'] / 1e6:.1f} | {row['tokens_per_second']:.0f} | "
              + " | ".join(f"{row[text]:.3f}" for text in texts) + " |")
    return {"rows": rows}
