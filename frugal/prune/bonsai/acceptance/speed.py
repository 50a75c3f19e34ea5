"""Half of the blocks gone, against the whole: bytes, resident memory and tokens a second, in turns in one run."""
import json
import statistics

ROUNDS = 5
PROMPT_TOKENS = 512


def sizes(runner, folder):
    """Bytes of the blocks and of the file: safetensors of bf16."""
    path = folder / "model.safetensors"
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    spans = {name: tensor["data_offsets"][1] - tensor["data_offsets"][0]
             for name, tensor in header.items() if name != "__metadata__"}
    return {"block_bytes": sum(size for name, size in spans.items() if ".layers." in name),
            "all_bytes": sum(spans.values()), "file_bytes": path.stat().st_size}


def run(runner, given, texts):
    whole = runner.work / "whole-bf16"
    if not whole.exists():
        runner.call("convert", runner.model, "--dtype", "bf16", "--out", whole, "--json", "--quiet")
    models = {"whole": whole, "half": runner.work / "bonsai-quick-1"}
    text = open(texts["test"], encoding="utf-8").read().replace("\n", " ")
    prompt = text[: 4 * PROMPT_TOKENS]
    found = {name: sizes(runner, folder) | {"prompt_tokens_per_second": [], "tokens_per_second": [], "resident": []}
             for name, folder in models.items()}
    for _ in range(ROUNDS):
        for name, folder in models.items():
            made = runner.call("generate", folder, "--prompt", prompt, "--greedy", "--max-new-tokens", 64, "--json")
            found[name]["prompt_tokens_per_second"].append(made["prompt_tokens"] / made["prompt_seconds"])
            found[name]["tokens_per_second"].append(made["tokens_per_second"])
            found[name]["resident"].append(made["peak_rss_bytes"] - made["floor_rss_bytes"])
    whole, half = ({key: statistics.median(value) if isinstance(value, list) else value for key, value in
                    found[name].items()} for name in models)
    bound = whole["all_bytes"] / half["all_bytes"]
    ratios = {"block_bytes": half["block_bytes"] / whole["block_bytes"],
              "file_bytes": half["file_bytes"] / whole["file_bytes"],
              "resident": half["resident"] / whole["resident"],
              "prompt_tokens_per_second": half["prompt_tokens_per_second"] / whole["prompt_tokens_per_second"],
              "tokens_per_second": half["tokens_per_second"] / whole["tokens_per_second"],
              "bytes_bound": bound,
              "share_of_bound": half["tokens_per_second"] / whole["tokens_per_second"] / bound}
    print(json.dumps({"whole": whole, "half": half, "ratios": ratios}, indent=1))
    return {"rounds": found, "ratios": ratios}
