// frugal prune from the command line, on a model of two layers whose tokens are letters.
#include "frugal/base/json_text.h"
#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

class Prune : public OnLetters {
 protected:
  void SetUp() override {
    OnLetters::SetUp();
    std::string text;
    for (int i = 0; i < 400; ++i) {
      for (int j = 0; j < 12; ++j) text += static_cast<char>(j % 5 == 4 ? ' ' : 'a' + (i * 7 + j * j * 3) % 26);
      text += " ";
    }
    write_file(folder_ / "text.txt", text);
  }
  // Layers of 40 neurons: multiples of 8.
  std::string prune(const std::string& more) const {
    return "prune " + at("model") + " --data " + at("text.txt") +
           " --windows 4 --min-neurons 8 --neuron-multiple 8 --weights f32 --threads 1 --quiet "
           "--json " +
           more;
  }
  std::string bits(const std::string& model) const { return read_file(folder_ / model / "model.safetensors"); }
};

using PruneOnModel = OnModel;

TEST_F(Prune, KilledAnywhereItGoesOnToTheSameModel) {
  const std::string options = "--method bonsai --window-length 32 --masks 60 --step 0.1 --sparsity 0.4 ";
  const Outcome whole = run(prune(options + "--out " + at("whole")));
  ASSERT_EQ(whole.code, 0) << whole.out << whole.err;
  const Json results = whole.line();
  EXPECT_LE(results["sparsity"], 0.4);
  EXPECT_GT(results["sparsity"], 0.25);
  for (const char* key :
       {"parameters", "file_bytes", "perplexity_before", "perplexity_after", "seconds", "peak_rss_bytes"})
    EXPECT_TRUE(results[key].is_number()) << key;
  EXPECT_TRUE(fs::exists(folder_ / "whole.run/report.html"));
  for (const int step : {2, 20, 50}) {
    const std::string name = "cut" + std::to_string(step);
    run_until(prune(options + "--out " + at(name)),
              [&] { return has_snapshot(name + ".run", step) || fs::exists(folder_ / name); });
    if (!fs::exists(folder_ / name)) {
      const Outcome resumed = run("prune --quiet --json --resume " + at(name + ".run"));
      ASSERT_EQ(resumed.code, 0) << resumed.out << resumed.err;
    }
    EXPECT_TRUE(bits(name) == bits("whole")) << "killed after step " << step;
  }
  EXPECT_EQ(run("rerun " + at("whole.run") + " --out " + at("again.run") + " --quiet --json").code, 0);
  EXPECT_TRUE(bits("again") == bits("whole"));
}

// What is left is a model like any other: it is tuned, merged, evaluated, planned, and written as GGUF and back.
TEST_F(Prune, WhatIsLeftIsAModelLikeAnyOther) {
  for (const std::string method : {"wanda", "flap", "random", "depth"}) {
    const Outcome made = run(prune("--method " + method + " --sparsity 0.5 --dtype f32 --out " + at(method)));
    ASSERT_EQ(made.code, 0) << method << made.out << made.err;
    const std::string model = at(method), text = " --text " + at("text.txt") + " --length 32 --weights f32 --json";
    const Outcome loss = run("eval " + model + text);
    ASSERT_EQ(loss.code, 0) << method << loss.out << loss.err;
    ASSERT_EQ(run("convert " + model + " --dtype f32 --out " + at(method + ".gguf") + " --quiet").code, 0) << method;
    const Outcome as_gguf = run("eval " + at(method + ".gguf") + text);
    ASSERT_EQ(as_gguf.code, 0) << as_gguf.out << as_gguf.err;
    EXPECT_EQ(as_gguf.line()["loss"], loss.line()["loss"]) << method << ": the same bits through deci";
    EXPECT_EQ(run("generate " + model + " --prompt 'a b' --greedy --max-new-tokens 8 --json").code, 0) << method;
    for (const std::string tuner : {"lora", "mezo", "full", "badam", "spruft", "sparse-mezo"}) {
      const std::string out = at(method + "-" + tuner);
      const Outcome tuned = run("tune " + model + " --data " + at("text.txt") + " --max-length 32 --method " + tuner +
                                " --lr 1e-3 --steps 3 --batch 2 --threads 1 --quiet --json --out " + out);
      EXPECT_EQ(tuned.code, 0) << method << " " << tuner << tuned.out << tuned.err;
    }
  }
}

// The plan holds for what looks once and for masks, export included.
TEST_F(PruneOnModel, StaysWithinItsPlan) {
  write_file(folder_ / "text.txt", read_file(FRUGAL_SOURCE_DIR "/README.md"));
  for (const std::string method : {"wanda", "bonsai --masks 4 --step 0.05"}) {
    const std::string options = "prune " + kModel + " --data " + at("text.txt") +
                                " --windows 1 --eval-windows 2 --sparsity 0.05 --threads 2 --quiet --json --method " +
                                method;
    const Outcome plan = run(options + " --dry-run"), pruned = run(options + " --out " + at(method.substr(0, 5)));
    ASSERT_EQ(plan.code, 0) << plan.out << plan.err;
    ASSERT_EQ(pruned.code, 0) << pruned.out << pruned.err;
    EXPECT_LE(pruned.line()["peak_rss_bytes"].get<std::uint64_t>(), plan.line()["peak"].get<std::uint64_t>()) << method;
  }
}

TEST_F(Prune, RefusesInALine) {
  const struct {
    std::string options, said;
    int code;
  } cases[] = {
      {"--sparsity 1 --out " + at("x"), "--sparsity is 1.0, expected a number in (0, 1)", 2},
      {"--sparsity 0.3 --method bonsai --masks 3 --out " + at("x"), "--masks is 3", 2},
      {"--sparsity 0.3 --window-length 65 --out " + at("x"),
       "--window-length is 65 tokens, but the model's context is 64", 3},
      {"--sparsity 0.3 --method wonda --out " + at("x"), "wonda", 2},
      {"--sparsity 0.3 --memory 1MiB --out " + at("x"), "--memory is 1.00 MiB", 4},
  };
  for (const auto& each : cases) {
    const Outcome found = run(prune(each.options));
    EXPECT_EQ(found.code, each.code) << each.options << found.out << found.err;
    EXPECT_NE(found.line().value("error", "").find(each.said), std::string::npos) << found.out;
    EXPECT_FALSE(found.line().value("fix", "").empty()) << found.out;
    EXPECT_FALSE(fs::exists(folder_ / "x"));
    EXPECT_FALSE(fs::exists(folder_ / "x.run"));
  }
  write_file(folder_ / "short.txt", "a b c");
  const Outcome found = run("prune " + at("model") + " --data " + at("short.txt") + " --eval " + at("text.txt") +
                            " --sparsity 0.3 --quiet --json --out " + at("x"));
  EXPECT_EQ(found.code, 3) << found.out << found.err;
}

}  // namespace
}  // namespace frugal
