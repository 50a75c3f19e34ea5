// frugal adapt from the command line: a pruned model of letters learns from the one it was made of.
#include "frugal/base/json_text.h"
#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

class Adapt : public OnLetters {
 protected:
  void SetUp() override {
    OnLetters::SetUp();
    std::string text;
    for (int i = 0; i < 400; ++i) {
      for (int j = 0; j < 12; ++j) text += static_cast<char>(j % 5 == 4 ? ' ' : 'a' + (i * 7 + j * j * 3) % 26);
      text += " ";
    }
    write_file(folder_ / "text.txt", text);
    const Outcome made = run("prune " + at("model") + " --data " + at("text.txt") +
                             " --method random --sparsity 0.3 --windows 1 --window-length 32 --min-neurons 8 "
                             "--neuron-multiple 8 --dtype f32 --weights f32 --quiet --json --out " +
                             at("small"));
    ASSERT_EQ(made.code, 0) << made.out << made.err;
  }
  std::string adapt(const std::string& more) const {
    return "adapt " + at("small") + " --teacher " + at("model") + " --data " + at("text.txt") +
           " --max-length 32 --batch 2 --lr 1e-2 --weights f32 --teacher-weights f32 --threads 1 --quiet --json " +
           more;
  }
  std::string bits(const std::string& model) const { return read_file(folder_ / model / "model.safetensors"); }
  double loss_of(const std::string& model) const {
    return run("eval " + at(model) + " --text " + at("text.txt") + " --length 32 --weights f32 --json").line()["loss"];
  }
};

TEST_F(Adapt, KilledAnywhereItGoesOnToTheSameModel) {
  for (const std::string store : {"live", "stored"}) {
    const std::string options = "--steps 40 --checkpoint-every 4 --teacher-store " + store + " --out ";
    const Outcome whole = run(adapt(options + at(store)));
    ASSERT_EQ(whole.code, 0) << whole.out << whole.err;
    EXPECT_EQ(whole.line()["model"], at(store));
    EXPECT_EQ(fs::exists(folder_ / (store + ".run/teacher.bin")), store == "stored");
    EXPECT_LT(loss_of(store), loss_of("small") - 0.01) << "it learns";
    const std::string name = store + "-cut";
    run_until(adapt(options + at(name)), [&] { return has_snapshot(name + ".run", 8) || fs::exists(folder_ / name); });
    if (!fs::exists(folder_ / name)) {
      const Outcome resumed = run("adapt --quiet --json --resume " + at(name + ".run"));
      ASSERT_EQ(resumed.code, 0) << resumed.out << resumed.err;
    }
    EXPECT_TRUE(bits(name) == bits(store)) << store;
  }
  EXPECT_NEAR(loss_of("live"), loss_of("stored"), 1e-2) << "binary16 keeps what the teacher said";
}

TEST_F(Adapt, ATeachersWordsThatAreDamagedAreSaidAgain) {
  const std::string options = "--steps 8 --checkpoint-every 2 --teacher-store stored --out ";
  ASSERT_EQ(run(adapt(options + at("whole"))).code, 0);
  run_until(adapt(options + at("cut")), [&] { return has_snapshot("cut.run", 2) || fs::exists(folder_ / "cut"); });
  if (fs::exists(folder_ / "cut")) GTEST_SKIP() << "it was done before it was killed";
  const fs::path words = folder_ / "cut.run/teacher.bin";
  std::string text = read_file(words);
  text[text.size() / 2] ^= 1;
  write_file(words, text);
  const Outcome resumed = run("adapt --json --resume " + at("cut.run"));
  ASSERT_EQ(resumed.code, 0) << resumed.out << resumed.err;
  EXPECT_NE(resumed.err.find("the teacher runs again"), std::string::npos) << resumed.err;
  EXPECT_TRUE(bits("cut") == bits("whole"));
}

TEST_F(Adapt, EveryMethodDistills) {
  for (const std::string method : {"lora", "full", "badam", "spruft", "mezo", "sparse-mezo"}) {
    const Outcome made = run(adapt("--steps 3 --method " + method + " --out " + at(method)));
    ASSERT_EQ(made.code, 0) << method << made.out << made.err;
    EXPECT_EQ(run("merge " + at("small") + " " + at(method + ".run") + " --quiet --out " + at("m" + method)).code, 0)
        << method;
    EXPECT_TRUE(bits("m" + method) == bits(method)) << method << ": merge writes the same model";
  }
  const Outcome hidden = run(adapt("--steps 3 --hidden-weight 1 --out " + at("hidden")));
  ASSERT_EQ(hidden.code, 0) << hidden.out << hidden.err;
  EXPECT_NE(read_file(folder_ / "hidden.run/events.jsonl").find("\"hidden\":"), std::string::npos);
}

TEST_F(Adapt, RefusesInALine) {
  const std::string data = " --data " + at("text.txt") + " --quiet --json --steps 2 --max-length 32 --out " + at("x");
  const struct {
    std::string command, said;
    int code;
  } cases[] = {
      {"adapt " + at("small") + data, "--teacher is missing", 2},
      {"adapt " + at("small") + " --teacher " + at("none") + data, "does not exist", 3},
      {adapt("--kl-weight -1 --out " + at("x")), "--kl-weight is -1.0", 2},
      {adapt("--kl-weight 0 --ce-weight 0 --out " + at("x")), "--kl-weight is 0.0", 2},
      {adapt("--teacher-words 0 --out " + at("x")), "--teacher-words is 0", 2},
      {adapt("--hidden-weight 1 --teacher-store stored --out " + at("x")), "--teacher-store is stored", 2},
      {adapt("--labels a,b --template '{text}' --out " + at("x")), "--labels is given", 2},
      {adapt("--out " + at("small")), "is not empty", 3},
      {adapt("--dtype q8_0 --out " + at("x")), "--dtype is q8_0", 2},
      {adapt("--memory 1MiB --out " + at("x")), "--memory is 1.00 MiB", 4},
      {"tune " + at("small") + " --method lora --teacher " + at("model") + data, "it is for --objective distill", 2},
      {"bench step " + at("small") + " --method lora --objective distill --json", "--objective is distill", 2},
  };
  for (const auto& each : cases) {
    const Outcome found = run(each.command);
    EXPECT_EQ(found.code, each.code) << each.command << found.out << found.err;
    EXPECT_NE(found.line().value("error", "").find(each.said), std::string::npos) << each.said << found.out;
    EXPECT_FALSE(found.line().value("fix", "").empty()) << found.out;
    EXPECT_FALSE(fs::exists(folder_ / "x"));
    EXPECT_FALSE(fs::exists(folder_ / "x.run"));
  }
}

TEST_F(Adapt, RefusesATeacherWithOtherWords) {
  if (!fs::exists(kModel)) GTEST_SKIP() << "no model at " << kModel << "; make model fetches it";
  const Outcome found = run("adapt " + at("small") + " --teacher " + kModel + " --data " + at("text.txt") +
                            " --max-length 32 --quiet --json --out " + at("x"));
  EXPECT_EQ(found.code, 2) << found.out;
  EXPECT_NE(found.line()["error"].get<std::string>().find("has 49152 words, the model 61"), std::string::npos)
      << found.out;
}

class AdaptOnModel : public OnModel {
 protected:
  std::string adapt(const std::string& teacher, const std::string& more) const {
    return "adapt " + kModel + " --teacher " + teacher + " --data " + at("text.txt") +
           " --batch 4 --max-length 128 --steps 2 --threads 2 --quiet --json " + more;
  }
};

TEST_F(AdaptOnModel, StaysWithinItsPlan) {
  write_file(folder_ / "text.txt", read_file(FRUGAL_SOURCE_DIR "/README.md"));
  const std::string cases[] = {
      "--teacher-store live", "--teacher-store stored --activations checkpoint",
      "--teacher-store live --teacher-weights stored --weights stored --activations checkpoint",
      "--teacher-store stored --teacher-weights stored --weights stored --activations checkpoint"};
  for (const std::string& options : cases) {
    const Outcome plan = run(adapt(kModel, options + " --dry-run")),
                  adapted = run(adapt(kModel, options + " --out " + at("x" + std::to_string(&options - cases))));
    ASSERT_EQ(plan.code, 0) << plan.out << plan.err;
    ASSERT_EQ(adapted.code, 0) << adapted.out << adapted.err;
    for (const Json& row : plan.line()["plan"]["rows"]) {
      if (row["method"] == "lora") expect_planned(row["peak"], adapted.line()["peak_rss_bytes"], options);
    }
  }
}

// A teacher's file is not streamed: where all of it cannot be there, that is said before the run.
TEST_F(AdaptOnModel, ATeacherThatDoesNotFitIsRefused) {
  write_file(folder_ / "text.txt", read_file(FRUGAL_SOURCE_DIR "/README.md"));
  ASSERT_EQ(run("convert " + kModel + " --dtype bf16 --quiet --out " + at("large")).code, 0);  // 257 MiB
  const std::string options =
      " --teacher-weights stored --weights stored --activations checkpoint --dry-run --memory 400MiB --teacher-store ";
  for (const std::string store : {"live", "stored"}) {
    const Outcome refused = run(adapt(at("large"), options + store));
    EXPECT_EQ(refused.code, 4) << store << refused.out << refused.err;
  }
  EXPECT_EQ(run(adapt(kModel, options + "stored")).code, 0);
}

}  // namespace
}  // namespace frugal
