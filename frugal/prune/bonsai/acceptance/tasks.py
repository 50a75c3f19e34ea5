"""Tasks with answers: the whole model and pruned ones, before and after repair on the task's own data."""
import csv
import json
import pathlib
import random

STEPS = 40


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def gsm8k(folder, work):
    read = lambda name: [json.loads(line) for line in open(folder / "gsm8k" / name, encoding="utf-8")]  # noqa: E731
    template = ["--template", "Question: {question}\nAnswer:", "--completion", "answer"]
    return {"train": write(work / "gsm8k-train.jsonl", read("train.jsonl")[:2000]), "tune": template,
            "test": write(work / "gsm8k-test.jsonl", read("test.jsonl")[:200]), "eval": template, "metric": "perplexity"}


def labelled(name, template, train, test, labels, work):
    """Learnt as completions, measured by the words of the labels."""
    rows = lambda pairs: [{"text": text, "label": label} for text, label in pairs]  # noqa: E731
    random.Random(1).shuffle(train)
    return {"train": write(work / f"{name}-train.jsonl", rows(train[:2000])),
            "test": write(work / f"{name}-test.jsonl", rows(test)),
            "tune": ["--template", template, "--completion", "label"],
            "eval": ["--template", template, "--labels", ",".join(labels)], "metric": "accuracy"}


def sst2(folder, work):
    def read(name):
        lines = open(folder / "sent-conv" / f"stsa.binary.{name}", encoding="utf-8")
        return [(line[2:].strip(), ("negative", "positive")[int(line[0])]) for line in lines if line.strip()]

    return labelled("sst2", "Review: {text}\nSentiment:", read("train"), read("dev"), ["negative", "positive"], work)


def banking77(folder, work):
    def read(name):
        with open(folder / "banking77" / f"{name}.csv", encoding="utf-8") as file:
            return [(row["text"], row["category"].replace("_", " ")) for row in csv.DictReader(file)]

    test = read("test")
    random.Random(2).shuffle(test)
    labels = sorted({label for _, label in test})
    return labelled("banking77", "Question: {text}\nTopic:", read("train"), test[:300], labels, work)


def run(runner, given, _texts):
    folder = pathlib.Path(given.tasks)
    models = {"whole": runner.model, "pruned 0.2": runner.work / "bonsai-quick-1-0.2",
              "pruned 0.5": runner.work / "bonsai-quick-1"}
    rows = []
    for make in (gsm8k, sst2, banking77):
        task = make(folder, runner.work)
        for label, model in models.items():
            stem = f"{make.__name__}-{label.replace(' ', '-')}"
            measure = lambda which: runner.call("eval", which, "--data", task["test"], *task["eval"], "--json")  # noqa
            before = runner.once(f"{stem}.before", lambda: measure(model))
            runner.run("adapt", stem, model, "--teacher", runner.model, "--data", task["train"], *task["tune"],
                       "--method", "lora", "--batch", 8, "--steps", STEPS, "--seed", 1)
            after = runner.once(f"{stem}.after", lambda: measure(runner.work / stem))
            rows.append({"task": make.__name__, "model": label, "metric": task["metric"],
                         "before": before[task["metric"]], "after": after[task["metric"]]})
    print("| task | model | metric | before | after |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row['task']} | {row['model']} | {row['metric']} | {row['before']:.4g} | {row['after']:.4g} |")
    return {"steps": STEPS, "batch": 8, "rows": rows}
