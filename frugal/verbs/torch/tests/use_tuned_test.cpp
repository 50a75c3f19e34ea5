// What was tuned is used as it lies: a run, an adapter of PEFT or trained rows over their base are the model that merge
// writes of them.
#include <gtest/gtest.h>

#include "frugal/verbs/torch/tests/tuned_letters.h"

namespace frugal {
namespace {

using UseTuned = TunedLetters;

TEST_F(UseTuned, ARunIsTheModelThatMergeWritesOfIt) {
  struct Method {
    const char *name, *how;
  };
  for (const auto& [name, how] : {Method{"lora", "--method lora --lr 1e-2 --rank 4 --weights f32"},
                                  {"spruft", "--method spruft --lr 1e-2 --rows 8 --score magnitude --weights f32"},
                                  {"mezo", "--method mezo --lr 1e-3 --weights f32"},
                                  {"full", "--method full --lr 1e-3 --weights f32"}}) {
    ASSERT_NO_FATAL_FAILURE(tune(name, how));
    const std::string merged = at(std::string(name) + "-merged"),
                      task = " --data " + at("dev.jsonl") + " --template '{text} :' --labels N,Y --max-length 16";
    line("convert " + at(name) + " --dtype f32 --out " + merged);
    const Json as_run = line("eval " + at(name)), as_model = line("eval " + merged + task + " --weights f32"),
               laid = line("eval " + at("model") + " --adapter " + at(name) + task),
               record = json_of(read_file(folder_ / name / "run.json"))["results"]["best"],
               base = line("eval " + at("model") + task + " --weights f32");
    EXPECT_NEAR(as_run["loss"].get<double>(), as_model["loss"].get<double>(), 1e-5) << name;
    EXPECT_EQ(as_run["confusion"], as_model["confusion"]) << name;
    EXPECT_EQ(as_run["loss"], laid["loss"]) << name;
    EXPECT_EQ(as_run["examples"], 24) << "the run's --dev";
    EXPECT_NEAR(as_run["loss"].get<double>(), record["loss"].get<double>(), 1e-6) << "what the run found of it";
    EXPECT_NEAR(line("eval " + at(name) + " --step 0")["loss"].get<double>(), base["loss"].get<double>(), 1e-6);
    EXPECT_GT(std::abs(as_run["loss"].get<double>() - base["loss"].get<double>()), 1e-4) << "it was tuned";
    const std::string write = " --prompt 'ab :' --max-new-tokens 6 --greedy";
    EXPECT_EQ(line("generate " + at(name) + write)["tokens"],
              line("generate " + merged + write + " --weights f32")["tokens"]);
    const Json step =
        line("bench step " + at("model") + " --method forward --repeats 1 --adapter " + at(name) + " --data " +
             at("dev.jsonl") + " --template '{text} :' --labels N,Y --max-length 16 --batch 24");
    EXPECT_NEAR(step["loss"].get<double>(), as_run["loss"].get<double>(), 1e-5);
  }
}

TEST_F(UseTuned, PairsLieOverWeightsAsStoredToo) {
  ASSERT_NO_FATAL_FAILURE(tune("run", "--method lora --lr 1e-2 --rank 4"));
  line("merge " + at("model") + " " + at("run") + " --adapter --dtype f32 --base-name here --out " + at("pairs"));
  EXPECT_EQ(json_of(read_file(folder_ / "pairs/adapter_config.json"))["base_model_name_or_path"], "here");
  const std::string task =
      " --data " + at("dev.jsonl") + " --template '{text} :' --labels N,Y --max-length 16 --weights stored";
  const Json run = line("eval " + at("run") + task),
             pairs = line("eval " + at("model") + " --adapter " + at("pairs") + task);
  EXPECT_EQ(run["loss"], pairs["loss"]);
  EXPECT_NE(run["loss"], line("eval " + at("model") + task)["loss"]);
}

// What is held out can be split off the data, labels and steps be found in it; the run's own examples are found again.
TEST_F(UseTuned, DataIsSplitSampledAndCounted) {
  const std::string common = "tune " + at("model") +
                             " --template '{text} :' --max-length 16 --batch 4 --method lora "
                             "--lr 1e-2 --threads 1 --quiet --data " +
                             at("train.jsonl");
  ASSERT_EQ(run(common + " --labels auto --dev 25% --test 20% --epochs 1 --out " + at("split")).code, 0);
  const Json record = json_of(read_file(folder_ / "split/run.json"));
  EXPECT_EQ(record["settings"]["labels"], Json({"N", "Y"}));
  EXPECT_EQ(record["settings"]["sample"], "seeded");
  EXPECT_EQ(record["files"]["dev"]["share"], Json({0.0, 0.25}));
  const auto of = [&](const char* part) { return record["files"][part]["examples"].get<int>(); };
  EXPECT_EQ(of("data") + of("dev") + of("test"), 24);
  EXPECT_EQ(record["settings"]["steps"], (of("data") + 3) / 4);
  const Json again = line("eval " + at("split"));
  EXPECT_EQ(again["examples"], of("test")) << "its own share of the data";
  EXPECT_NEAR(again["loss"].get<double>(), record["results"]["test"]["loss"].get<double>(), 1e-6);
  EXPECT_EQ(run("rerun " + at("split") + " --out " + at("again") + " --quiet").code, 0);

  write_file(folder_ / "labels.txt", "N\nY\n\n");
  ASSERT_EQ(run(common + " --labels @" + at("labels.txt") + " --train-size 8 --steps 2 --out " + at("few")).code, 0);
  const Json few = json_of(read_file(folder_ / "few/run.json"));
  EXPECT_EQ(few["files"]["data"]["sample"]["most"], 8);
  EXPECT_EQ(few["files"]["data"]["examples"], 8);
  expect_refused(common + " --labels auto --epochs 1 --steps 3 --out " + at("no"), 2, "--epochs says");
  expect_refused(common + " --labels auto --dev 60% --test 40% --out " + at("no"), 2, "nothing to be trained on");
  expect_refused(common + " --labels auto --dev 0% --out " + at("no"), 2, "a share like 10%");
  expect_refused(common + " --labels auto --label-column text --patience 2 --out " + at("no"), 2, "");
  EXPECT_FALSE(fs::exists(folder_ / "no"));
}

// Preferences are judged against the model that they were learnt over.
TEST_F(UseTuned, PreferencesAreEvaluated) {
  std::string lines;
  for (int i = 0; i < 8; ++i) {
    const auto said = [](const char* role, const std::string& text) { return Json{{"role", role}, {"content", text}}; };
    lines += Json{{"prompt", {said("user", "ab")}},
                  {"chosen", {said("assistant", "yes " + std::to_string(i))}},
                  {"rejected", {said("assistant", "no")}}}
                 .dump() +
             "\n";
  }
  write_file(folder_ / "pairs.jsonl", lines);
  for (const std::string method : {"lora --lr 1e-2", "full --lr 1e-3"}) {
    const std::string out = method.substr(0, 4) + "-dpo";
    ASSERT_EQ(run("tune " + at("model") + " --data " + at("pairs.jsonl") + " --dev " + at("pairs.jsonl") +
                  " --objective dpo --method " + method +
                  " --steps 6 --batch 4 --max-length 32 --weights f32 --threads 1 "
                  "--quiet --out " +
                  at(out))
                  .code,
              0);
    const Json best = json_of(read_file(folder_ / out / "run.json"))["results"]["best"],
               found = line("eval " + at(out));
    EXPECT_NEAR(found["loss"].get<double>(), best["loss"].get<double>(), 1e-5);
    EXPECT_EQ(found["examples"], 8);
    EXPECT_GT(found["rewards/margins"].get<double>(), 0);
    EXPECT_NEAR(line("eval " + at(out) + " --step 0")["rewards/margins"].get<double>(), 0, 1e-6);
  }
  // The rate is one for preferences, of the method that is chosen, too; what a run went on from is its reference.
  ASSERT_EQ(
      run("tune " + at("model") + " --data " + at("pairs.jsonl") + " --dev " + at("pairs.jsonl") +
          " --objective dpo --steps 2 --batch 4 --max-length 32 --weights f32 --threads 1 --quiet --out " + at("auto"))
          .code,
      0);
  EXPECT_LT(json_of(read_file(folder_ / "auto/run.json"))["results"]["lr"].get<double>(), 1e-4);
  ASSERT_NO_FATAL_FAILURE(tune("first", "--method lora --lr 5e-2 --weights f32"));
  line("merge " + at("model") + " " + at("first") + " --adapter --dtype f32 --out " + at("start"));
  ASSERT_EQ(
      run("tune " + at("model") + " --data " + at("pairs.jsonl") + " --dev " + at("pairs.jsonl") +
          " --objective dpo --method lora --lr 1e-2 --steps 4 --batch 4 --max-length 32 --weights f32 --threads 1 "
          "--quiet --adapter " +
          at("start") + " --out " + at("second"))
          .code,
      0);
  const Json second = json_of(read_file(folder_ / "second/run.json"))["results"]["best"];
  EXPECT_NEAR(line("eval " + at("second"))["loss"].get<double>(), second["loss"].get<double>(), 1e-5);
  const Json alone = line("eval " + at("model") + " --objective dpo --max-length 32 --data " + at("pairs.jsonl"));
  EXPECT_TRUE(alone["reference"].is_null());
  EXPECT_LT(alone["rewards/chosen"].get<double>(), 0);
}

TEST_F(UseTuned, AConversationChangesItsAdapterAndIsKept) {
  for (const char* name : {"one", "two"})
    ASSERT_NO_FATAL_FAILURE(
        tune(name, std::string("--method lora --rank 2 --lr ") + (name[0] == 'o' ? "3e-2" : "5e-2")));
  const std::string chat = "chat " + at("model") + " --greedy --max-new-tokens 5 --threads 1 --json --quiet ";
  const auto answers = [&](const std::string& how, const std::string& said) {
    const Outcome done = run(chat + how, "", said);
    EXPECT_EQ(done.code, 0) << done.err;
    return done.out;
  };
  const std::string plain = answers("", "ab\n"), one = answers("--adapter " + at("one"), "ab\n"),
                    two = answers("--adapter " + at("two"), "ab\n");
  EXPECT_NE(one, plain);
  const std::string both = "--adapter first=" + at("one") + ",second=" + at("two");
  EXPECT_EQ(answers(both, "ab\n"), one);
  EXPECT_EQ(answers(both, "/adapter second\nab\n"), two);
  EXPECT_EQ(answers(both, "/adapter\nab\n"), plain);
  EXPECT_NE(
      run(chat + both, "", "/adapter third\nab\n").err.find("no adapter 'third' to take, there are: first, second"),
      std::string::npos);

  const std::string kept = "--history " + at("talk.jsonl");
  const std::string whole = answers("", "ab\ncd\n"), begun = answers(kept, "ab\n"), rest = answers(kept, "cd\n");
  EXPECT_EQ(begun + rest, whole) << "goes on as if it had not been left";
  EXPECT_EQ(json_of(read_file(folder_ / "talk.jsonl"))["messages"].size(), 4u);
  const Outcome full = run(chat + "--context 8 " + kept, "", "ef\n");
  EXPECT_EQ(full.code, 3) << full.out;
  EXPECT_NE(full.out.find("there is room for 8"), std::string::npos) << full.out;
}

// Parts of another run are no parts of this one, however whole they are.
TEST_F(UseTuned, PartsOfAnotherRunAreRefused) {
  for (const std::string how : {"--method mezo --lr 1e-3", "--method full --lr 1e-3"}) {
    const std::string name = how.substr(9, 4);
    ASSERT_NO_FATAL_FAILURE(tune(name, how + " --seed 1"));
    ASSERT_NO_FATAL_FAILURE(tune(name + "-other", how + " --seed 2"));
    const bool replays = name == "mezo";
    const fs::path part = replays ? "trajectory.bin" : "snapshots/step-000004.frugal";
    fs::copy_file(folder_ / (name + "-other") / part, folder_ / name / part, fs::copy_options::overwrite_existing);
    expect_refused("eval " + at(name) + " --step 4", 3, replays ? "seed" : "belongs to another run");
    expect_refused("merge " + at("model") + " " + at(name) + " --step 4 --out " + at("written"), 3, "");
    EXPECT_FALSE(fs::exists(folder_ / "written"));
  }
  // The chain of events begins with the run's name.
  fs::copy_file(folder_ / "full-other/events.jsonl", folder_ / "full/events.jsonl",
                fs::copy_options::overwrite_existing);
  expect_refused("tune --resume " + at("full") + " --steps 12", 3, "line 1 of");
}

// A run writes into its own folder alone.
TEST_F(UseTuned, LinksInARunAreRefused) {
  ASSERT_NO_FATAL_FAILURE(tune("run", "--method lora"));
  for (const std::string part : {"lock", "report.html", "events.jsonl"}) {
    write_file(folder_ / "victim", "mine");
    fs::remove(folder_ / "run" / part);
    fs::create_symlink(folder_ / "victim", folder_ / "run" / part);
    expect_refused("tune --resume " + at("run") + " --steps 12", 3, part + " is a link");
    EXPECT_EQ(run("report " + at("run")).code, 3) << part;
    EXPECT_EQ(read_file(folder_ / "victim"), "mine");
    fs::remove(folder_ / "run" / part);
  }
}

TEST_F(UseTuned, WhatCannotBeUsedIsRefused) {
  ASSERT_NO_FATAL_FAILURE(tune("whole", "--method full --lr 1e-3"));
  ASSERT_NO_FATAL_FAILURE(tune("pairs", "--method lora"));
  const std::string text = " --prompt ab";
  expect_refused("generate " + at("whole") + text + " --weights stored", 2, "changed the model's weights as bf16");
  expect_refused("generate " + at("whole") + text + " --adapter " + at("pairs"), 2, "--adapter is given, too");
  expect_refused("generate " + at("model") + text + " --step 4", 2, "--step is given, but no run");
  expect_refused("generate " + at("pairs") + text + " --step 9", 2, "the run has 8 steps");
  expect_refused("generate " + at("pairs") + text + " --step 3", 3, "no snapshot of step 3");
  expect_refused("generate " + at("model") + text + " --adapter " + at("model"), 3, "neither run.json nor");
  expect_refused("generate " + at("model") + text + " --chat ab", 2, "both --prompt and --chat");
  expect_refused("generate " + at("model") + " --prompt ab --system cd", 2, "--chat is not");
  fs::copy(folder_ / "model", folder_ / "other", fs::copy_options::recursive);
  std::string weights = read_file(folder_ / "other/model.safetensors");
  weights[weights.size() - 3] ^= 1;
  write_file(folder_ / "other/model.safetensors", weights);
  expect_refused("generate " + at("other") + text + " --adapter " + at("pairs"), 3, "the run began with");
  fs::rename(folder_ / "model", folder_ / "moved");
  expect_refused("generate " + at("pairs") + text, 3, "is not at");
}

}  // namespace
}  // namespace frugal
