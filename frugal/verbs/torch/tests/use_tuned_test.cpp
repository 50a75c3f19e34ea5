// What was tuned is used as it lies: a run, an adapter of PEFT or trained rows over their base are the model that merge
// writes of them.
#include <gtest/gtest.h>

#include "frugal/base/json_text.h"
#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

class UseTuned : public OnLetters {
 protected:
  void SetUp() override {
    OnLetters::SetUp();
    write_file(
        folder_ / "model/tokenizer_config.json",
        Json{{"eos_token", "no60"}, {"chat_template", "{% for m in messages %}{{ m['content'] }} : {% endfor %}"}}
            .dump());
    for (const char* name : {"train", "dev"}) {
      std::string lines;
      for (int i = 0; i < 24; ++i) {
        const bool is_yes = i % 3 == 0;
        const std::string text = std::string(is_yes ? "ab" : "cd") + static_cast<char>('e' + i % 12);
        lines += Json{{"text", text}, {"label", is_yes ? "Y" : "N"}}.dump() + "\n";
      }
      write_file(folder_ / (std::string(name) + ".jsonl"), lines);
    }
  }
  void tune(const std::string& out, const std::string& how) const {
    const Outcome done = run("tune " + at("model") + " --data " + at("train.jsonl") + " --dev " + at("dev.jsonl") +
                             " --template '{text} :' --labels N,Y --max-length 16 --batch 4 --steps 8 --eval-every 4 "
                             "--checkpoint-every 4 --threads 1 --quiet --json --out " +
                             at(out) + " " + how);
    ASSERT_EQ(done.code, 0) << done.out << done.err;
  }
  Json line(const std::string& arguments) const {
    const Outcome done = run(arguments + (arguments.starts_with("convert") ? "" : " --threads 1") + " --quiet --json");
    EXPECT_EQ(done.code, 0) << arguments << "\n" << done.out << done.err;
    return done.line();
  }
  void expect_refused(const std::string& arguments, int code, const std::string& said) const {
    const Outcome done = run(arguments);
    EXPECT_EQ(done.code, code) << arguments << "\n" << done.err;
    EXPECT_NE(done.err.find(said), std::string::npos) << done.err;
    EXPECT_NE(done.err.find("fix: "), std::string::npos);
  }
};

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
