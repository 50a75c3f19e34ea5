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
  std::string prune(const std::string& more, const std::string& data = "text.txt") const {
    const bool takes_layers = more.find("--method depth") != std::string::npos;
    return "prune " + at("model") + " --data " + at(data) + " --windows 4 --weights f32 --threads 1 --quiet --json " +
           (takes_layers ? "" : "--min-neurons 8 --neuron-multiple 8 ") + more;
  }
  // Killed as soon as there is a snapshot of that step, and resumed.
  void stop_at(int step, const std::string& name, const std::string& arguments) const {
    run_until(arguments, [&] { return has_snapshot(name + ".run", step) || fs::exists(folder_ / name); });
    ASSERT_NE(json_of(read_file(folder_ / (name + ".run") / "run.json"))["status"], "done") << "killed too late";
    const Outcome resumed = run("prune --quiet --json --resume " + at(name + ".run"));
    ASSERT_EQ(resumed.code, 0) << resumed.out << resumed.err;
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
    stop_at(step, name, prune(options + "--out " + at(name)));
    EXPECT_TRUE(bits(name) == bits("whole")) << "killed after step " << step;
  }
  EXPECT_EQ(run("rerun " + at("whole.run") + " --out " + at("again.run") + " --quiet --json").code, 0);
  EXPECT_TRUE(bits("again") == bits("whole"));
}

// Killed before, while and after projections are refitted, it makes them again, and measures what it writes.
TEST_F(Prune, KilledAroundTheRefitItGoesOnToTheSameModel) {
  const std::string options = "--method wanda --window-length 32 --sparsity 0.4 --dtype f32 --eval-windows 0 --eval " +
                              at("text.txt") + " --reconstruct --compensate ";
  const Outcome whole = run(prune(options + "--out " + at("whole")));
  ASSERT_EQ(whole.code, 0) << whole.out << whole.err;
  for (const int step : {1, 2}) {
    const std::string name = "cut" + std::to_string(step);
    stop_at(step, name, prune(options + "--out " + at(name)));
    EXPECT_TRUE(bits(name) == bits("whole")) << "killed after step " << step;
  }
  const Outcome plain = run(prune("--method wanda --window-length 32 --sparsity 0.4 --eval-windows 0 --eval " +
                                  at("text.txt") + " --out " + at("plain")));
  ASSERT_EQ(plain.code, 0) << plain.out << plain.err;
  EXPECT_LT(whole.line()["perplexity_after"], plain.line()["perplexity_after"]);
  // The model that was written, measured by another run.
  const Outcome again = run("prune " + at("whole") + " --data " + at("text.txt") + " --eval " + at("text.txt") +
                            " --eval-windows 0 --method random --sparsity 0.1 --window-length 32 --min-neurons 8 "
                            "--neuron-multiple 8 --weights f32 --threads 1 --quiet --json --out " +
                            at("again"));
  ASSERT_EQ(again.code, 0) << again.out << again.err;
  const double after = whole.line()["perplexity_after"];
  EXPECT_NEAR(again.line()["perplexity_before"].get<double>(), after, 1e-5 * after);
}

// A model on the way is the one of a run that ends there; killed between the models, a run writes those that miss.
TEST_F(Prune, WritesTheModelsOnTheWay) {
  for (const std::string method : {"bonsai --masks 40 --step 0.1", "wanda"}) {
    const std::string name = method.substr(0, 5), more = "--method " + method + " --window-length 32 --reconstruct ";
    const std::string both = prune(more + "--sparsity 0.5 --also 0.3 --out ");
    const Outcome whole = run(both + at(name));
    ASSERT_EQ(whole.code, 0) << whole.out << whole.err;
    ASSERT_EQ(run(prune(more + "--sparsity 0.3 --out " + at(name + "-alone"))).code, 0);
    EXPECT_TRUE(bits(name + "-0.3") == bits(name + "-alone")) << name;
    const Json also = whole.line()["also"];
    ASSERT_EQ(also.size(), 1u);
    EXPECT_EQ(also[0]["model"], at(name + "-0.3"));
    EXPECT_LT(also[0]["sparsity"], whole.line()["sparsity"]);
    EXPECT_TRUE(fs::exists(folder_ / (name + "-0.3") / "frugal_pruning.json"));

    const std::string cut = name + "-cut";
    run_until(both + at(cut), [&] { return fs::exists(folder_ / cut / "config.json"); });
    const Outcome resumed = run("prune --quiet --json --resume " + at(cut + ".run"));
    ASSERT_EQ(resumed.code, 0) << resumed.out << resumed.err;
    EXPECT_TRUE(bits(cut) == bits(name)) << name;
    EXPECT_TRUE(bits(cut + "-0.3") == bits(name + "-0.3")) << name;
    EXPECT_EQ(resumed.line()["perplexity_after"], whole.line()["perplexity_after"]) << name;
  }
  for (const std::string wrong : {"wanda --also 0.6", "wanda --also 0.5", "wanda --also 0", "wanda --also x",
                                  "wanda --also 0.2,0.2", "wanda --also 0.2x", "depth --also 0.2"}) {
    const Outcome refused = run(prune("--sparsity 0.5 --out " + at("no") + " --method " + wrong));
    EXPECT_EQ(refused.code, 2) << wrong << refused.out;
    EXPECT_NE(refused.out.find("--also"), std::string::npos) << wrong << refused.out;
  }
}

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

// The text is measured as eval measures it, in windows of the model's context where that is shorter than usual.
TEST_F(Prune, MeasuresAsEvalDoes) {
  const Outcome made =
      run(prune("--method random --sparsity 0.3 --eval-windows 0 --dtype f32 --window-length 32 --eval " +
                at("text.txt") + " --out " + at("small")));
  ASSERT_EQ(made.code, 0) << made.out << made.err;
  const std::int64_t context = json_of(read_file(folder_ / "model/config.json"))["max_position_embeddings"];
  ASSERT_LT(context, 512);
  const Outcome loss = run("eval " + at("small") + " --text " + at("text.txt") + " --weights f32 --json --length " +
                           std::to_string(context));
  ASSERT_EQ(loss.code, 0) << loss.out << loss.err;
  const double perplexity = loss.line()["perplexity"];
  EXPECT_NEAR(made.line()["perplexity_after"].get<double>(), perplexity, 1e-5 * perplexity);
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

// A text of one line is cut at a space, and one without spaces between characters.
TEST_F(Prune, TakesTextsOfOneLine) {
  std::string line;
  for (int i = 0; i < 3000; ++i) line += i % 7 == 6 ? ' ' : static_cast<char>('a' + i * i % 26);
  for (const std::string& text : {line, line + "\n", std::string(3000, 'a')}) {
    write_file(folder_ / "line.txt", text);
    const Outcome made = run(prune("--method wanda --window-length 32 --sparsity 0.3 --dry-run", "line.txt"));
    EXPECT_EQ(made.code, 0) << made.out << made.err;
  }
}

// Answers in fewer kinds of tokens are more of them; losses are of a token of the model as it is given.
TEST_F(Prune, FewerWordsOfAnswersCompare) {
  std::string answers;
  for (int i = 0; i < 60; ++i)
    answers += "{\"prompt\": \"a b c d e\", \"completion\": \" Ye" + std::string(1, static_cast<char>('a' + i % 26)) +
               " N\"}\n";
  write_file(folder_ / "answers.jsonl", answers);
  TokenizerModel letters{.tokens = {"\xC4\xA0"}, .merges = {"Y e", "N a"}, .added = {}, .pre = "gpt-2"};
  for (char c = 'a'; c <= 'z'; ++c) letters.tokens.push_back(std::string(1, c));
  for (const char* more : {"N", "Y", "Ye", "Na"}) letters.tokens.emplace_back(more);
  while (letters.tokens.size() < 61) letters.tokens.push_back("no" + std::to_string(letters.tokens.size()));
  write_file(folder_ / "model" / "tokenizer.json", Tokenizer(letters).to_json().dump());
  write_file(folder_ / "model" / "tokenizer_config.json", R"({"eos_token": "no60"})");
  write_file(folder_ / "words.txt", "Na Na\n");
  const Outcome made =
      run("prune " + at("model") + " --data " + at("answers.jsonl") + " --template {prompt} --sparsity 0 " +
          "--vocabulary-from " + at("words.txt") + " --weights f32 --threads 1 --quiet --json --out " + at("fewer"));
  ASSERT_EQ(made.code, 0) << made.out << made.err;
  EXPECT_GT(made.line()["more_tokens"], 0.1) << "Ye is Y and e now";
  EXPECT_EQ(made.line()["metric_after"], made.line()["perplexity_after"]);
}

// What is left is a model like any other: it is tuned, merged, evaluated, planned, and written as GGUF and back.
TEST_F(Prune, WhatIsLeftIsAModelLikeAnyOther) {
  const std::pair<std::string, std::string> all[] = {
      {"wanda", " --reconstruct"}, {"flap", " --compensate"}, {"random", ""}, {"depth", " --reconstruct --compensate"}};
  for (const auto& [method, refit] : all) {
    const Outcome made = run(prune("--method " + method + refit + " --sparsity 0.5 --dtype f32 --out " + at(method)));
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
  for (const std::string method :
       {"wanda", "bonsai --masks 4 --step 0.05", "flap --reconstruct --compensate --reconstruct-windows 16"}) {
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

// What cannot work is said before the hours that it would take.
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

// Weights that are no numbers: every masked model is as bad, and that is said.
TEST_F(Prune, UtilitiesThatAreNoNumbersEndTheRun) {
  std::string bytes = bits("model");
  const auto header = static_cast<std::size_t>(*reinterpret_cast<const std::uint64_t*>(bytes.data()));
  const Json tensors = Json::parse(bytes.substr(8, header));
  const auto begin = tensors.at("model.norm.weight").at("data_offsets")[0].get<std::size_t>();
  for (std::size_t i = 0; i < 4; ++i) bytes[8 + header + begin + i] = '\xff';
  write_file(folder_ / "model" / "model.safetensors", bytes);
  const Outcome found = run(prune("--method bonsai --window-length 32 --masks 8 --sparsity 0.3 --out " + at("x")));
  EXPECT_NE(found.code, 0) << found.out;
  EXPECT_NE(found.line().value("error", "").find("of all 8 masked models is no number"), std::string::npos)
      << found.out;
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

// The tokens of a text alone, and with units: what is left reads its text as before, in both formats.
TEST_F(Prune, KeepsTheTokensOfAText) {
  write_file(folder_ / "words.txt", "a b Yes");
  const std::string words = "--vocabulary-from " + at("words.txt") + " --dtype f32 ";
  const Outcome alone = run(prune(words + "--sparsity 0 --out " + at("alone")));
  ASSERT_EQ(alone.code, 0) << alone.out << alone.err;
  const Json results = alone.line();
  EXPECT_EQ(results["vocabulary_before"], 61);
  EXPECT_EQ(results["vocabulary"], 31);  // a blank, the letters, N, Y, Ye, ':'
  EXPECT_EQ(results["more_tokens"], 0.0);
  EXPECT_EQ(results["sparsity"], 0.0);
  EXPECT_LT(results["perplexity_after"], results["perplexity_before"]);  // fewer tokens to choose from
  const Outcome both = run(prune(words + "--method wanda --sparsity 0.4 --out " + at("both")));
  ASSERT_EQ(both.code, 0) << both.out << both.err;
  EXPECT_EQ(both.line()["vocabulary"], 31);
  EXPECT_GT(both.line()["sparsity"], 0.3);
  EXPECT_EQ(run("rerun " + at("both.run") + " --out " + at("again.run") + " --quiet --json").code, 0);
  EXPECT_TRUE(bits("again") == bits("both"));
  for (const std::string name : {"alone", "both"}) {
    ASSERT_EQ(run("convert " + at(name) + " --dtype f32 --out " + at(name + ".gguf") + " --quiet").code, 0);
    const std::string text = " --text " + at("text.txt") + " --length 32 --weights f32 --json";
    EXPECT_EQ(run("eval " + at(name) + text).line()["loss"], run("eval " + at(name + ".gguf") + text).line()["loss"]);
  }
}

// Label words: masks are judged by a metric, and the model is measured by it.
TEST_F(Prune, OnATaskMasksAreJudgedByItsMetric) {
  std::string lines;
  for (int i = 0; i < 40; ++i) {
    const std::string text = {static_cast<char>('a' + i * 7 % 26), ' ', static_cast<char>('a' + i * 11 % 26)};
    lines += Json({{"text", text}, {"label", i % 3 == 0 ? "N" : "Y"}}).dump() + "\n";
  }
  write_file(folder_ / "task.jsonl", lines);
  const std::string task = "prune " + at("model") + " --data " + at("task.jsonl") +
                           " --template '{text} :' --labels N,Y --max-length 32 --windows 4 --window-length 16 "
                           "--min-neurons 8 --neuron-multiple 8 --weights f32 --threads 1 --quiet --json ";
  for (const std::string utility : {"accuracy", "balanced_accuracy", "f1", "nll"}) {
    const Outcome found =
        run(task + "--masks 8 --step 0.2 --sparsity 0.4 --utility " + utility + " --out " + at(utility));
    ASSERT_EQ(found.code, 0) << utility << found.out << found.err;
    EXPECT_EQ(found.line()["metric"], "accuracy");
    EXPECT_GT(found.line()["sparsity"], 0.3);
    // What eval says of the same examples: the last tenth.
    std::string last = lines;
    for (int i = 0; i < 36; ++i) last.erase(0, last.find('\n') + 1);
    write_file(folder_ / "last.jsonl", last);
    const Outcome as_eval = run("eval " + at("model") + " --data " + at("last.jsonl") +
                                " --template '{text} :' --labels N,Y --max-length 32 --weights f32 --json");
    EXPECT_EQ(found.line()["metric_before"], as_eval.line()["accuracy"]) << as_eval.out;
  }
  const Outcome once = run(task + "--method wanda --sparsity 0.4 --eval " + at("last.jsonl") + " --out " + at("once"));
  EXPECT_EQ(once.code, 0) << once.out << once.err;
  const Outcome refused = run(prune("--utility accuracy --sparsity 0.4 --masks 8 --out " + at("x")));
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.line()["error"], "--utility is accuracy, but there are no --labels");
}

// The page shows quality against size and which units went; the folder says which are left.
TEST_F(Prune, SaysWhichUnitsWent) {
  ASSERT_EQ(run(prune("--method wanda --sparsity 0.4 --out " + at("small"))).code, 0);
  const Json record = Json::parse(read_file(folder_ / "small" / "frugal_pruning.json"));
  const Json config = Json::parse(read_file(folder_ / "small" / "config.json"));
  ASSERT_EQ(record["layers"].size(), config["num_hidden_layers"]);
  std::size_t heads = 0, neurons = 0;
  for (const Json& layer : record["layers"]) {
    heads = std::max(heads, layer["heads"].size());
    neurons = std::max(neurons, layer["neurons"].size());
    for (const Json& neuron : layer["neurons"]) EXPECT_LT(neuron, 40);
  }
  EXPECT_EQ(heads, config["num_attention_heads"]);
  EXPECT_EQ(neurons, config["intermediate_size"]);
  const std::string page = read_file(folder_ / "small.run" / "report.html");
  for (const char* title : {"Quality against size", "Key heads that are left", "Neurons that are left",
                            "Importance of key heads", "Importance of neurons"})
    EXPECT_NE(page.find(title), std::string::npos) << title;
}

TEST_F(Prune, PaddedIsNativeWithZeros) {
  const std::string options = "--method wanda --sparsity 0.4 --dtype f32 --out ";
  ASSERT_EQ(run(prune(options + at("native"))).code, 0);
  const Outcome made = run(prune("--layout padded " + options + at("padded.gguf")));
  ASSERT_EQ(made.code, 0) << made.out << made.err;
  const std::string text = " --text " + at("text.txt") + " --length 32 --weights f32 --json";
  EXPECT_NEAR(run("eval " + at("native") + text).line()["loss"].get<double>(),
              run("eval " + at("padded.gguf") + text).line()["loss"].get<double>(), 1e-5);
}

}  // namespace
}  // namespace frugal
