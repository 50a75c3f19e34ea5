"""Racing: which units go, and how many tokens that takes, against masks that see all windows."""
import json

TOLERANCES = ["0", "0.25", "0.5", "1"]
MASKS, WINDOWS = 64, 32


def kept(folder):
    layers = json.loads((folder / "frugal_pruning.json").read_text())["layers"]
    return {(l, kind, unit) for l, layer in enumerate(layers) for kind in ("heads", "neurons") for unit in layer[kind]}


def run(runner, given, texts):
    rows, whole = [], None
    for tolerance in TOLERANCES:
        name = f"race-{tolerance}"
        record = runner.run("prune", name, runner.model, "--data", given.valid, "--eval", texts["test"], "--eval-windows", 8,
                            "--sparsity", 0.05, "--masks", MASKS, "--windows", WINDOWS, "--window-length", 256,
                            "--race-tolerance", tolerance, "--seed", 1)
        left = kept(runner.work / name)
        whole = whole or left
        events = [json.loads(line) for line in (runner.work / f"{name}.run" / "events.jsonl").read_text().splitlines()]
        seen = max(event.get("windows", 0) for event in events if event["event"] == "step")
        # Units that went in both, of those that went with all windows; what is left says it by its complement.
        all_units = left | whole | every_unit(runner.work / f"race-{TOLERANCES[0]}")
        gone, reference = all_units - left, all_units - whole
        rows.append({"tolerance": float(tolerance), "tokens": seen / (MASKS * WINDOWS),
                     "same": len(gone & reference) / len(reference),
                     "perplexity": record["results"]["perplexity_after"], "seconds": record["results"]["seconds"]})
        print(rows[-1], flush=True)
    return {"masks": MASKS, "windows": WINDOWS, "rows": rows}


def every_unit(folder):
    """Of the model that was pruned: as many heads and neurons a layer as the largest index says."""
    layers = json.loads((folder / "frugal_pruning.json").read_text())["layers"]
    sizes = {kind: 1 + max(max(layer[kind], default=-1) for layer in layers) for kind in ("heads", "neurons")}
    return {(l, kind, unit) for l in range(len(layers)) for kind, size in sizes.items() for unit in range(size)}
