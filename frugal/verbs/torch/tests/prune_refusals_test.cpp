// What frugal prune refuses, and what it leaves as it is.
#include "frugal/verbs/torch/tests/pruning.h"

namespace frugal {
namespace {

// A model that somebody else put where the result goes is neither taken for it nor overwritten.
TEST_F(Prune, ForeignModelsStayWhatTheyAre) {
  const std::string options =
      prune("--method bonsai --window-length 32 --masks 60 --step 0.1 --sparsity 0.4 --also 0.2 --out " + at("g"));
  for (const std::string taken : {"g", "g-0.2"}) {
    run_until(options, [&] { return has_snapshot("g.run", 2); });
    ASSERT_FALSE(fs::exists(folder_ / taken)) << "killed too late";
    fs::copy(folder_ / "model", folder_ / taken);
    const std::string theirs = bits(taken);
    for (int again = 0; again < 2; ++again) {
      const Outcome refused = run("prune --quiet --json --resume " + at("g.run"));
      EXPECT_EQ(refused.code, 3) << refused.out << refused.err;
      EXPECT_NE((refused.out + refused.err).find("exists"), std::string::npos) << refused.out << refused.err;
      EXPECT_TRUE(bits(taken) == theirs);
    }
    fs::remove_all(folder_ / taken);
    const Outcome done = run("prune --quiet --json --resume " + at("g.run"));
    EXPECT_EQ(done.code, 0) << done.out << done.err;
    EXPECT_FALSE(bits(taken) == theirs);
    for (const char* made : {"g", "g-0.2", "g.run"}) fs::remove_all(folder_ / made);
  }
}

TEST_F(Prune, RefusesWhatItWouldPassOver) {
  write_file(folder_ / "answers.jsonl",
             "{\"prompt\": \"a b\", \"completion\": \" c d\"}\n{\"prompt\": \"a\", "
             "\"completion\": \" d\"}\n");
  const std::string examples = " --template {prompt}";
  for (const std::string& more : {"--race-tolerance 0.5" + examples, "--design block" + examples,
                                  "--eval-windows 4" + examples, "--window-length 32" + examples}) {
    const Outcome refused = run(prune(more + " --sparsity 0.3 --out " + at("no"), "answers.jsonl"));
    EXPECT_TRUE(refused.code == 2 || refused.code == 3) << more << refused.out;
    EXPECT_FALSE(fs::exists(folder_ / "no.run")) << more;
  }
  for (const std::string more :
       {"--reconstruct-windows 4", "--layout uniform --scope layer", "--method depth --min-heads 2",
        "--regression none --masks 8", "--window-length 32 --reconstruct --reconstruct-windows 9999"}) {
    const Outcome refused = run(prune(more + " --sparsity 0.3 --out " + at("no")));
    EXPECT_TRUE(refused.code == 2 || refused.code == 3) << more << refused.out;
    EXPECT_FALSE(fs::exists(folder_ / "no.run")) << more;
  }
}

TEST_F(Prune, TakesTextsOfOneLine) {
  std::string line;
  for (int i = 0; i < 3000; ++i) line += i % 7 == 6 ? ' ' : static_cast<char>('a' + i * i % 26);
  for (const std::string& text : {line, line + "\n", std::string(3000, 'a')}) {
    write_file(folder_ / "line.txt", text);
    const Outcome made = run(prune("--method wanda --window-length 32 --sparsity 0.3 --dry-run", "line.txt"));
    EXPECT_EQ(made.code, 0) << made.out << made.err;
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

TEST_F(Prune, RefusesBeforehandWhatCannotBeReachedOrWritten) {
  fs::copy(FRUGAL_SOURCE_DIR "/frugal/nn/tests/golden/unequal", folder_ / "unequal");
  fs::copy(folder_ / "model" / "tokenizer.json", folder_ / "unequal" / "tokenizer.json");
  fs::create_directory(folder_ / "there");
  write_file(folder_ / "there" / "file", "");
  const struct {
    std::string options, said;
    int code;
  } cases[] = {
      {"--sparsity 0", "--sparsity is 0.0, expected a number in (0, 1)", 2},
      {"--sparsity 0.3 --neuron-multiple 64", "--neuron-multiple is 64, but no layer has more than 40 neurons", 2},
      {"--sparsity 0.3 --min-heads 2 --min-neurons 40", "nothing is left that can be removed", 3},
      {"--sparsity 0.001", "--sparsity is 0.001, but the smallest part that can go is", 2},
      {"--sparsity 0.1 --method depth", "the smallest part that can go is", 2},
      {"--sparsity 0.3 --windows 100000", "100000 windows take", 3},
      {"--sparsity 0.3 --min-heads 0 --out " + at("x.gguf"), "--min-heads is 0, but GGUF", 2},
      {"--sparsity 0.3 --min-neurons 0 --out " + at("x.gguf"), "--min-neurons is 0, but GGUF", 2},
      {"--sparsity 0.3 --dtype q8_0 --out " + at("x"), "--dtype is q8_0", 2},
      {"--sparsity 0.3 --out " + at("there"), "is not empty", 3},
      {"--sparsity 0 --vocabulary-from " + at("model") + "/tokenizer.jso", "tokenizer.jso", 3},
  };
  const auto prune_on = [&](const std::string& model, const std::string& options) {
    return run("prune " + at(model) + " --data " + at("text.txt") +
               " --window-length 32 --weights f32 --threads 1 --quiet --json " + options);
  };
  const auto expect_refused = [&](const Outcome& found, const std::string& said, int code) {
    EXPECT_EQ(found.code, code) << said << found.out << found.err;
    EXPECT_NE(found.line().value("error", "").find(said), std::string::npos) << found.out;
    EXPECT_FALSE(found.line().value("fix", "").empty()) << found.out;
  };
  for (const auto& each : cases) {
    const std::string more = each.options.find("--out") == std::string::npos ? " --out " + at("x") : "";
    expect_refused(prune_on("model", each.options + more), each.said, each.code);
    for (const char* name : {"x", "x.run", "x.gguf", "x.gguf.run", "there.run"})
      EXPECT_FALSE(fs::exists(folder_ / name)) << each.options;
  }
  expect_refused(prune_on("unequal", "--sparsity 0.3 --layout uniform --neuron-multiple 8 --out " + at("x")),
                 "--layout is uniform, but the layers of", 2);
  expect_refused(prune_on("unequal", "--sparsity 0.3 --neuron-multiple 8 --out " + at("x.gguf")),
                 "layer 3 has attention and no feed-forward", 3);
  // Less than was asked for can go: said before and after.
  const Outcome less =
      prune_on("model", "--sparsity 0.9 --method wanda --windows 4 --neuron-multiple 8 --out " + at("x"));
  EXPECT_EQ(less.code, 0) << less.out << less.err;
  EXPECT_NE(less.err.find("--sparsity is 0.9, but at most"), std::string::npos) << less.err;
  EXPECT_LT(less.line()["sparsity"], 0.9);
}

TEST_F(Prune, LossesThatAreNoNumbersEndTheRun) {
  std::string bytes = bits("model");
  const auto header = static_cast<std::size_t>(*reinterpret_cast<const std::uint64_t*>(bytes.data()));
  const Json tensors = Json::parse(bytes.substr(8, header));
  const auto begin = tensors.at("model.norm.weight").at("data_offsets")[0].get<std::size_t>();
  for (std::size_t i = 0; i < 4; ++i) bytes[8 + header + begin + i] = '\xff';
  write_file(folder_ / "model" / "model.safetensors", bytes);
  const Outcome found = run(prune("--method bonsai --window-length 32 --masks 8 --sparsity 0.3 --out " + at("x")));
  EXPECT_NE(found.code, 0) << found.out;
  EXPECT_NE(found.line().value("error", "").find("the loss of the model as it is given is no number"),
            std::string::npos)
      << found.out;
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

}  // namespace
}  // namespace frugal
