"""The excess of the log-perplexity over that of the whole model, by method, share of the blocks that is gone, and repair."""
import json
import math
import statistics

METHODS = {
    "bonsai": "--method bonsai",
    "prior only": "--method bonsai --regression none",
    "wanda": "--method wanda",
    "flap": "--method flap",
    "depth": "--method depth",
    "random": "--method random",
}
SPARSITIES = ["0.2", "0.3", "0.5"]
ADAPT = "--method lora --max-length 512 --batch 4 --steps 40 --seed 1"
COLUMNS = ["plain", "reconstructed", "reconstructed_other", "adapted", "adapted_other"]


def plain_losses(run):
    """Of the models on the way, before they were refitted: the first look at each size."""
    looks = {}
    for line in (run / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "eval":
            looks.setdefault(round(event["sparsity"], 6), event["loss"])
    return [looks[min(looks, key=lambda s: abs(s - float(goal)))] for goal in SPARSITIES]


def adapted(runner, model, name, valid, texts):
    runner.run("adapt", f"{name}-adapted", model, "--teacher", runner.model, "--data", valid, *ADAPT.split())
    return runner.losses(runner.work / f"{name}-adapted", f"{name}-adapted", texts)


def rows_of(runner, given, method, seed, dense, texts):
    name = f"{method.replace(' ', '-')}-{given.budget}-{seed}"
    pruning = [runner.model, "--data", given.valid, "--eval", texts["test"], "--eval-windows", 0,
               *METHODS[method].split(), "--budget", given.budget, "--sparsity", SPARSITIES[-1], "--also",
               ",".join(SPARSITIES[:-1]), "--seed", seed]
    results = runner.run("prune", name, *pruning, "--reconstruct")["results"]
    if method == "flap":  # its biases are made at the end, and not where projections are refitted
        alone = runner.run("prune", f"{name}-biases", *pruning)["results"]
        plain = [math.log(found["perplexity_after"]) for found in [*alone["also"], alone]]
    else:
        plain = plain_losses(runner.work / f"{name}.run")
    for goal, loss, found in zip(SPARSITIES, plain, [*results["also"], results]):
        small = name if goal == SPARSITIES[-1] else f"{name}-{goal}"
        row = {"method": method, "budget": given.budget, "seed": int(seed), "goal": float(goal),
               "sparsity": found["sparsity"], "parameters": found["parameters"], "seconds": results["seconds"],
               "plain": loss - dense["test"],
               "reconstructed": math.log(found["perplexity_after"]) - dense["test"]}

        def add(kind, losses):
            row.update({kind + ("_other" if text == "other" else ""): losses[text] - dense[text] for text in texts})

        add("reconstructed", runner.losses(found["model"], small, texts))
        if seed in given.adapt_seeds.split(",") and method in given.adapt_methods.split(","):
            add("adapted", adapted(runner, found["model"], small, given.valid, texts))
        yield row


def run(runner, given, texts):
    dense = runner.losses(runner.model, "dense", texts)
    rows = [row for method in given.methods.split(",") for seed in given.seeds.split(",")
            for row in rows_of(runner, given, method, seed, dense, texts)]
    print_table(rows)
    found = {"dense": dense, "rows": rows}
    if given.adapt_seeds != "0":  # what as many steps on the same text make of the whole model
        control = adapted(runner, runner.model, "dense", given.valid, texts)
        found["dense_adapted"] = {text: control[text] - dense[text] for text in texts}
        print("the whole model after the same steps:", found["dense_adapted"])
    return found


def print_table(rows):
    print("| method | gone | " + " | ".join(COLUMNS) + " |")
    print("| --- " * (len(COLUMNS) + 2) + "|")
    for method in dict.fromkeys(row["method"] for row in rows):
        for goal in dict.fromkeys(row["goal"] for row in rows):
            cells = []
            for column in COLUMNS:
                values = [row[column] for row in rows
                          if row["method"] == method and row["goal"] == goal and column in row]
                cells.append(f"{statistics.median(values):.3f}" if values else "")
            print(f"| {method} | {goal} | " + " | ".join(cells) + " |")
