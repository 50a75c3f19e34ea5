// frugal prune from the command line: the same model however it is killed, and what is left of it.
#include "frugal/formats/model_source.h"
#include "frugal/verbs/torch/tests/pruning.h"

namespace frugal {
namespace {

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
    EXPECT_EQ(last_map(name), last_map("whole")) << "killed after step " << step;
  }
  EXPECT_EQ(run("rerun " + at("whole.run") + " --out " + at("again.run") + " --quiet --json").code, 0);
  EXPECT_TRUE(bits("again") == bits("whole"));
}

// Each cell of a sweep has its model and its run beside it.
TEST_F(Prune, IsSwept) {
  const Outcome swept = run(prune("--method wanda --window-length 32 --sweep sparsity=0.3,0.5 --out " + at("swept")));
  ASSERT_EQ(swept.code, 0) << swept.out << swept.err;
  EXPECT_FALSE(swept.line().contains("failed")) << swept.out;
  const Json rows = swept.line()["rows"];
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["sparsity"], "0.3");
  for (const Json& row : rows) {
    EXPECT_GT(row["perplexity_after"], 1);
    EXPECT_TRUE(fs::exists(folder_ / "swept" / row["run"].get<std::string>() / "run.json")) << row;
  }
}

// What flap's scores leave out goes into biases, which are in the model, unless something else is asked for.
TEST_F(Prune, FlapCompensates) {
  const auto biases = [&](const std::string& name, const std::string& options) {
    const Outcome done = run(prune("--window-length 32 --sparsity 0.4 " + options + " --out " + at(name)));
    EXPECT_EQ(done.code, 0) << done.err;
    std::size_t count = 0;
    const std::shared_ptr<const ModelSource> model = ModelSource::open(at(name));
    for (const TensorSpec& tensor : model->tensors()) count += tensor.name.ends_with(".bias");
    return count;
  };
  EXPECT_GT(biases("flap", "--method flap"), 0u);
  EXPECT_EQ(biases("bare", "--method flap --no-compensate"), 0u);
  EXPECT_EQ(biases("refitted", "--method flap --reconstruct"), 0u);
  EXPECT_EQ(biases("wanda", "--method wanda"), 0u);
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

// A text of one line is cut at a space, and one without spaces between characters.
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

// The plan is what the run takes: what looks once and what is refitted, 200 masks of one window and their regression,
// prefixes of blocks, several models on the way, examples whose label words are of several tokens; with
// weights of its own and as stored.
TEST_F(PruneOnModel, StaysWithinItsPlan) {
  write_file(folder_ / "text.txt", read_file(FRUGAL_SOURCE_DIR "/README.md"));
  std::string examples, labels;
  for (const std::string how : {"very likely", "rather unlikely", "strangely common"}) {
    for (const std::string what : {"card payment", "cash withdrawal", "exchange rate", "pending transfer"})
      labels += (labels.empty() ? "" : ",") + how + " " + what;
  }
  for (int i = 0; i < 80; ++i)
    examples += Json({{"text", "the customer asks for the " + std::to_string(i) + "th time what has become of it"},
                      {"label", "very likely card payment"}})
                    .dump() +
                "\n";
  write_file(folder_ / "task.jsonl", examples);
  const std::string text = at("text.txt") + " --windows 1 --window-length 64 --eval-windows 2 --sparsity ";
  const std::string cases[] = {
      text + "0.05 --method wanda",
      text + "0.05 --method flap --weights stored --reconstruct --compensate --reconstruct-windows 32",
      text + "0.05 --masks 200 --weights stored",
      at("text.txt") +
          " --windows 16 --window-length 64 --eval-windows 2 --sparsity 0.2 --step 0.1 --masks 4 --design block",
      at("task.jsonl") + " --template '{text}:' --labels '" + labels +
          "' --max-length 64 --window-length 16 --windows 8 --masks 4 --sparsity 0.05 --weights stored"};
  for (const std::string& each : cases) {
    const std::string options = "prune " + kModel + " --threads 2 --quiet --json --data " + each;
    const Outcome plan = run(options + " --dry-run"),
                  pruned = run(options + " --out " + at("x" + std::to_string(&each - cases)));
    ASSERT_EQ(plan.code, 0) << plan.out << plan.err;
    ASSERT_EQ(pruned.code, 0) << pruned.out << pruned.err;
    const bool is_stored = each.find("--weights stored") != std::string::npos;
    expect_planned(plan.line()["peak"], pruned.line()["peak_rss_bytes"], each, is_stored ? 16 << 20 : 0);
  }
}

// What cannot work is said before the hours that it would take.
// Weights that are no numbers: every masked model is as bad, and that is said.
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
  EXPECT_EQ(refused.line()["error"], "--utility is accuracy, but --data is text");
}

// Masked models write the answers that they are judged by; what is measured is what eval says.
TEST_F(Prune, OnATaskMasksAreJudgedByWhatTheyWrite) {
  std::string lines, last;
  for (int i = 0; i < 20; ++i)
    (i < 16 ? lines : last) +=
        Json({{"q", std::string(1, static_cast<char>('a' + i * 7 % 26))}, {"a", "c b"}}).dump() + "\n";
  write_file(folder_ / "qa.jsonl", lines);
  write_file(folder_ / "last.jsonl", last);
  write_file(folder_ / "model" / "tokenizer_config.json", R"({"eos_token": "no60"})");
  const std::string task = " --template '{q} :' --completion a --max-length 32 ",
                    how = task + "--match contains --max-new-tokens 8 ", taught = at("taught");
  // A model that has learnt the answer: what it writes has points to lose.
  ASSERT_EQ(run("tune " + at("model") + " --data " + at("qa.jsonl") + task +
                "--method full --lr 1e-2 --steps 40 --batch 8 --weights f32 --threads 1 --quiet --out " + at("tuned"))
                .code,
            0);
  ASSERT_EQ(run("convert " + at("tuned") + " --dtype f32 --quiet --out " + taught).code, 0);
  const std::string prune = "prune " + taught + " --data " + at("qa.jsonl") + " --eval " + at("last.jsonl") + how +
                            "--windows 2 --window-length 16 --min-neurons 8 --neuron-multiple 8 --weights f32 "
                            "--threads 1 --quiet --json --masks 8 --step 0.2 --sparsity 0.4 --dtype f32 ";
  const auto eval = [&](const std::string& model) {
    return run("eval " + model + " --data " + at("last.jsonl") + how + "--generate --weights f32 --json").line();
  };
  const Json as_eval = eval(taught);
  EXPECT_GT(as_eval["rougeL"].get<double>(), 0.4);
  for (const std::string utility : {"rougeL", "f1", "exact_match"}) {
    const Outcome found = run(prune + "--utility " + utility + " --out " + at(utility));
    ASSERT_EQ(found.code, 0) << utility << found.out << found.err;
    EXPECT_EQ(found.line()["metric"], utility);
    EXPECT_EQ(found.line()["metric_before"], as_eval[utility]) << as_eval;
    EXPECT_EQ(found.line()["metric_after"], eval(at(utility))[utility]) << "masked as it is written";
  }
  for (const std::string wrong : {"--loss-on all --utility rougeL", "--labels b,c --utility rougeL", "--utility nll"}) {
    const Outcome refused = run(prune + wrong + " --out " + at("no"));
    EXPECT_EQ(refused.code, 2) << wrong << refused.out;
  }
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
