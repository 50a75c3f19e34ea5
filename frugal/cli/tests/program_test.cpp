// The program itself: exit codes, the two lines of an error, JSON, and that refusals leave nothing behind.
#include <gtest/gtest.h>

#include <vector>

#include "frugal/base/json.h"
#include "run_program.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

const std::string kTask = " --template 'Review: {text}\\nSentiment:' --labels negative,positive ";

std::string data_file(const std::string& name, const std::string& text) {
  const auto path = scratch() / name;
  write_file(path, text);
  return path.string();
}

const std::string kGood = "{\"text\":\"a fine film\",\"label\":1}\n{\"text\":\"dull\",\"label\":\"negative\"}\n";

void expect_refused(const std::string& arguments, int code, const std::string& error) {
  const Outcome o = run_program(arguments);
  EXPECT_EQ(o.code, code) << arguments << "\n" << o.err;
  EXPECT_EQ(o.err.substr(0, 7 + error.size()), "error: " + error) << arguments;
  EXPECT_NE(o.err.find("\nfix: "), std::string::npos) << o.err;
  EXPECT_EQ(o.out, "") << arguments;
  const Outcome json = run_program(arguments + " --json");
  EXPECT_EQ(json.code, code);
  Json report = Json::parse(json.out, nullptr, false);
  ASSERT_TRUE(report.is_object()) << json.out;
  EXPECT_EQ(report["exit"], code);
  EXPECT_EQ(report["error"].get<std::string>().substr(0, error.size()), error);
  EXPECT_FALSE(report["fix"].get<std::string>().empty());
}

TEST(Program, HelpAndVersion) {
  EXPECT_EQ(run_program("--help").code, 0);
  EXPECT_EQ(run_program("").code, 2);
  EXPECT_EQ(run_program("--version").out.substr(0, 7), "frugal ");
  const Outcome help = run_program("tune --help");
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  EXPECT_NE(help.out.find("--checkpoint-every N"), std::string::npos);
  EXPECT_NE(help.out.find("--sparsity NUMBER"), std::string::npos);
}

TEST(Program, UsageErrors) {
  expect_refused("tnue", 2, "there is no verb 'tnue'; did you mean 'tune'?");
  expect_refused("tune", 2, "MODEL is missing");
  expect_refused("tune " + data_file("m", "x") + kTask, 2, "--data is missing");
  expect_refused("tune " + data_file("m", "x") + " --data d --template x --labels a,b", 2,
                 "--template 'x' has no place");
  expect_refused("eval " + data_file("m", "x"), 2, "neither --data nor --text is given");
  expect_refused("generate " + data_file("m", "x") + " --prompt a --top-p 1.5", 2,
                 "--top-p is 1.5, expected a number in (0, 1]");
  expect_refused("convert " + data_file("m", "x") + " --out o --dtype q8_0", 2,
                 "--dtype is q8_0, but --out o is a Hugging Face folder");
  expect_refused("config", 2, "config show needs a verb");
  expect_refused("config show", 2, "config show needs a verb");
  expect_refused("config tune", 2, "config cannot 'tune', expected show");
  expect_refused("config show eval --config " + scratch().string(), 3,
                 "cannot read " + scratch().string() + ": it is a folder");
  const std::string generate = "generate " + data_file("m", "x");
  expect_refused(generate, 2, "--prompt is missing");
  expect_refused(generate + " --prompt a --prompts " + data_file("p.txt", "a\n"), 2,
                 "both --prompt and --prompts are given");
  expect_refused(generate + " --prompts /nowhere/p.txt", 3, "--prompts: /nowhere/p.txt does not exist");
  expect_refused(generate + " --prompt a --samples 3 --greedy", 2, "--samples is 3, but greedy texts are all the same");
  expect_refused(generate + " --prompt a --samples 0", 2, "--samples is 0");
  expect_refused(generate + " --prompt a --samples 2 --batch 0", 2, "--batch is 0");
  expect_refused(generate + " --prompt a --batch 4", 2, "--batch");
  expect_refused(generate + " --prompt a --samples 9000000000", 2, "--samples is 9000000000");
  expect_refused(generate + " --prompt --greedy", 2, "--prompt has no value: the option --greedy follows");
  EXPECT_EQ(run_program(generate + " --top-k 3 --prompt").err,
            "error: --prompt has no value\nfix: see frugal generate --help\n");
  expect_refused(generate + " --prompt \"$(printf 'a\\377')\"", 2, "--prompt holds bytes that are not UTF-8");
  expect_refused(generate + " --prompt a --seed -1", 2, "--seed is -1, expected at least 0");
  expect_refused(generate + " --prompt a --threads 2000", 2, "--threads is 2000, expected 0 to 1024");
  expect_refused(generate + " --prompt a --greedy --temperature 2", 2, "--temperature is given, but --greedy");
  expect_refused(generate + " --prompt a --max-new-tokens -3", 2, "--max-new-tokens is -3, expected at least 1");
  const std::string text = "eval " + data_file("m", "x") + " --text " + data_file("t.txt", "some text");
  expect_refused(text + " --labels a,b", 2, "--labels is given, but --text is evaluated as it is");
  expect_refused("eval " + data_file("m", "x") + " --data " + data_file("d.jsonl", kGood) + kTask + "--length 8", 2,
                 "--length is given, but it is for --text");
  const Outcome environment = run_program("config show eval", "FRUGAL_BATCH=many");
  EXPECT_EQ(environment.code, 2);
  EXPECT_EQ(environment.err.substr(0, 61), "error: --batch is 'many', expected a whole number (from FRUGA");
}

// What pairs are is for runs that train them; weights that are trained are not quantised.
TEST(Program, OptionsOfPairsAndQuantisedWeightsAreRefusedWhereTheyDoNotServe) {
  const std::string tune = "tune " + data_file("m", "x") + " --data " + data_file("d.jsonl", kGood) + kTask + "--out " +
                           (scratch() / "no-run").string();
  for (const std::string method : {"mezo", "sparse-mezo", "badam"}) {
    const std::string start = tune + " --method " + method;
    expect_refused(start + " --rank 4", 2, "--rank is given, but --train is all");
    expect_refused(start + " --dora", 2, "--dora is given, but --train is all");
    expect_refused(start + " --weights nf4", 2, "--weights is nf4, but --method " + method + " changes the weights");
    expect_refused(start + " --weights stored", 2, "--weights is stored, but --method " + method);
    expect_refused(start + " --train rows", 2, "--train is 'rows', expected one of all, lora");
    const Outcome o = run_program(start + " --train lora --weights nf4 --rank 4");
    EXPECT_EQ(o.err.find("changes the weights"), std::string::npos) << o.err;  // refused for the model alone
    EXPECT_NE(o.err.find("not a model"), std::string::npos) << o.err;
  }
  expect_refused(tune + " --method full --weights nf4", 2, "--weights is nf4, but --method full changes the weights");
  expect_refused(tune + " --method mezo --train lora --dropout 0.1", 2, "--dropout is 0.1, expected 0");
  expect_refused(tune + " --method sparse-mezo --train lora --mask file:m.bits", 2,
                 "--mask is 'file:m.bits', which masks weights");
  expect_refused(tune + " --method lora --adapter /nowhere --rank 4", 2, "--rank is given, but --adapter /nowhere has");
  const std::string spruft = tune + " --method spruft --adapter ";
  expect_refused(spruft + "rows.safetensors --axis in", 2,
                 "--axis is given, but --adapter rows.safetensors says which rows are trained");
  expect_refused(spruft + "rows.safetensors --targets q_proj", 2, "--targets is given, but --adapter rows.safetensors");
  expect_refused(spruft + "rows.safetensors --rows 8", 2, "--adapter is \"rows.safetensors\", expected no --rows");
  expect_refused(spruft + "folder", 2, "--adapter is \"folder\", expected a file of trained rows");
  expect_refused("bench step " + data_file("m", "x") + " --method badam --alpha 4", 2, "--alpha is given, but --train");
  expect_refused("bench step " + data_file("m", "x") + " --batch 2049 --length 2048", 2,
                 "--batch 2049 of --length 2048 are more tokens a step than 4194304");
  expect_refused("bench step " + data_file("m", "x") + " --batch 9000000000000000000 --length 2", 2,
                 "--batch 9000000000000000000 of --length 2 are more tokens");
  const std::string machine = "bench machine " + data_file("m", "x");
  for (const std::string flag : {"--template x", "--labels a,b", "--max-length 64", "--loss-on all", "--batch 4"})
    expect_refused(machine + " " + flag, 2, "unknown option '" + flag.substr(0, flag.find(' ')) + "'");
  expect_refused(machine + " --length 2000", 2, "--length is 2000, expected 2 to 512");
  EXPECT_FALSE(fs::exists(scratch() / "no-run"));
}

// An adapter of another model is refused before anything loads, with both shapes.
TEST(Program, AnAdapterOfAnotherModelIsNamedWithBothShapes) {
  if (!fs::exists(model_path())) GTEST_SKIP() << "no model: make model fetches it";
  const std::string golden = FRUGAL_SOURCE_DIR "/frugal/formats/adapter/tests/golden/dora";
  const Outcome o = run_program("tune " + model_path() + " --data " + data_file("d.jsonl", kGood) + kTask +
                                    "--method lora --adapter " + golden + " --out " + (scratch() / "no-run").string(),
                                "FRUGAL_TORCH_LIBRARY=/nowhere.so");
  EXPECT_EQ(o.code, 3);
  EXPECT_NE(
      o.err.find("lora_A.weight has shape [4, 24], expected [4, 576]\nfix: the adapter was made for another model"),
      std::string::npos)
      << o.err;
}

TEST(Program, InputErrors) {
  const std::string out = (scratch() / "out").string();
  expect_refused("eval /nowhere.gguf --data d" + kTask, 3, "model /nowhere.gguf does not exist");
  expect_refused("eval " + data_file("m", "x") + " --data /nowhere.jsonl" + kTask, 3,
                 "--data: /nowhere.jsonl does not exist");
  expect_refused("eval " + data_file("m.gguf", "not a model") + " --data " + data_file("d.jsonl", kGood) + kTask, 3,
                 "");
  fs::create_directories(scratch() / "used");
  write_file(scratch() / "used" / "run.json", "{}");
  expect_refused("tune " + data_file("m", "x") + " --data " + data_file("d.jsonl", kGood) + kTask + "--out " +
                     (scratch() / "used").string(),
                 3, "--out: " + (scratch() / "used").string() + " holds another run");
  expect_refused("tune --resume " + out, 3, "--resume: " + out + " holds no run.json");
  expect_refused("tune --batch 1 --resume " + (scratch() / "used").string(), 2, "--resume takes --batch from the run");
  expect_refused("merge " + data_file("m", "x") + " /nowhere --out " + out, 3, "run /nowhere does not exist");
  EXPECT_FALSE(fs::exists(out));
}

TEST(Program, WhatIsNoModelIsNamed) {
  const auto folder = scratch() / "models";
  fs::create_directories(folder / "bare");
  fs::create_directories(folder / "gpt2");
  write_file(folder / "gpt2" / "config.json", R"({"model_type": "gpt2"})");
  write_file(folder / "photo.gguf", std::string("\x89PNG\r\n\x1a\n", 8) + std::string(5000, '\7'));
  write_file(folder / "short.gguf", "GGUF");
  for (const std::string verb : {"generate", "chat", "convert", "plan", "eval"}) {
    const std::string more = verb == "generate"  ? " --prompt a"
                             : verb == "convert" ? " --out " + (folder / "out").string()
                             : verb == "eval"    ? " --text " + data_file("t.txt", "some text")
                                                 : "";
    const auto refused = [&](const std::string& name, const std::string& error) {
      expect_refused(verb + " " + (folder / name).string() + more, 3, error);
    };
    expect_refused(verb + more, 2, "MODEL is missing");
    refused("none.gguf", "model " + (folder / "none.gguf").string() + " does not exist");
    refused("bare", (folder / "bare").string() + " has no config.json");
    refused("gpt2", "the model's type is 'gpt2'");
    refused("photo.gguf", (folder / "photo.gguf").string() + " is not a model");
    refused("short.gguf", (folder / "short.gguf").string() + ": this is not a GGUF file");
  }
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST(Program, APromptLongerThanTheContextIsRefusedBeforeAnythingLoads) {
  if (!fs::exists(model_path())) GTEST_SKIP() << "no model: make model fetches it";
  std::string words;
  for (int i = 0; i < 9000; ++i) words += "word ";
  const Outcome o =
      run_program("generate " + model_path() + " --prompt '" + words + "'", "FRUGAL_TORCH_LIBRARY=/nowhere.so");
  EXPECT_EQ(o.code, 3);
  EXPECT_EQ(o.err, "error: the prompt has 9001 tokens, but the model's context is 8192\nfix: shorten the prompt\n");
}

// A place that cannot be written is refused at once; an interrupted conversion leaves no folder that it made.
TEST(Program, ConvertLeavesNothingBehind) {
  if (!fs::exists(model_path())) GTEST_SKIP() << "no model: make model fetches it";
  const fs::path folder = scratch() / "converted";
  fs::create_directories(folder);
  write_file(folder / "file", "x");
  const std::string start = "convert " + model_path() + " --out " + folder.string();
  expect_refused(start + "/none/m.gguf", 3, "--out: the folder " + (folder / "none").string() + " does not exist");
  expect_refused(start + "/file/m", 3,
                 "--out: " + (folder / "file/m").string() + " would lie in " + (folder / "file").string());
  expect_refused(start + "/m/ --dtype q8_0", 2, "--dtype is q8_0, but --out " + (folder / "m").string() + " is");
  for (const char* out : {"/a/b/c", "/m.gguf"}) {
    // timeout signals the program and then its group: twice within milliseconds, which is one request.
    const std::string command = "timeout -s INT 0.3 " FRUGAL_BINARY_DIR "/bin/frugal " + start + out +
                                " --dtype f32 2>" + (folder / "file").string();
    EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 124);
    EXPECT_EQ(read_file(folder / "file").substr(0, 18), "error: interrupted");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << out;
  }
}

TEST(Program, OutputThatCannotBeWrittenIsAnError) {
  for (const std::string arguments : {"list", "list --json", "--help", "config show tune"}) {
    const Outcome o = run_program(arguments + " >/dev/full");
    EXPECT_EQ(o.code, 3) << arguments;
    EXPECT_EQ(o.err.substr(0, 37), "error: cannot write all of the output") << o.err;
  }
}

TEST(Program, DoctorSaysWhyLibTorchIsNotUsable) {
  const Outcome o = run_program("doctor", "FRUGAL_TORCH_LIBRARY=/nowhere.so");
  EXPECT_EQ(o.code, 3);
  EXPECT_NE(o.out.find("not usable"), std::string::npos);
  EXPECT_EQ(o.err.substr(0, 33), "error: cannot load /nowhere.so: /");
  EXPECT_NE(o.err.find("\nfix: "), std::string::npos);
  const Json report = Json::parse(run_program("doctor --json", "FRUGAL_TORCH_LIBRARY=/nowhere.so").out, nullptr, false);
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report["exit"], 3);
  EXPECT_EQ(report["error"], report["torch"]["error"]);
  EXPECT_EQ(run_program("doctor", "FRUGAL_COMPUTE=f64").code, 2);
}

TEST(Program, DataIsCheckedAgainstTheModelBeforeAnythingLoads) {
  if (!fs::exists(model_path())) GTEST_SKIP() << "no model: make model fetches it";
  const std::string start = "tune " + model_path() + kTask, out = (scratch() / "run").string();
  const std::string d = data_file("d.jsonl", kGood);
  expect_refused(start + "--out " + out + " --data " + data_file("c.csv", "txt,label\na,0\n"), 3,
                 (scratch() / "c.csv").string() + " has no column 'text'");
  expect_refused(start + "--out " + out + " --data " + data_file("l.csv", "text,label\na,7\n"), 3,
                 (scratch() / "l.csv").string() + " line 2: label '7' is none of");
  expect_refused(start + "--out " + out + " --data " + data_file("e.jsonl", ""), 3,
                 (scratch() / "e.jsonl").string() + " holds no records");
  expect_refused(start + "--out " + out + " --data " + d + " --max-length 100000", 3,
                 "--max-length is 100000 tokens, but the model's context is");
  expect_refused(start + "--out " + out + " --data " + d + " --method sparse-mezo --sparsity 1", 2,
                 "--sparsity is 1.0");
  EXPECT_FALSE(fs::exists(out));
  const Outcome dry = run_program(start + "--dry-run --json --data " + d);
  EXPECT_EQ(dry.code, 0) << dry.err;
  Json report = Json::parse(dry.out, nullptr, false);
  ASSERT_TRUE(report.is_object()) << dry.out;
  EXPECT_EQ(report["data"]["first"]["scored"], " positive");
  EXPECT_NE(dry.err.find("Sentiment:>> positive<<"), std::string::npos) << dry.err;
}

TEST(Program, PlanAndBudget) {
  if (!fs::exists(model_path())) GTEST_SKIP() << "no model: make model fetches it";
  const Outcome o = run_program("plan " + model_path() + " --batch 8 --length 128 --memory 1GiB --json");
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(Json::parse(o.out, nullptr, false).is_object()) << o.out;
  EXPECT_NE(run_program("plan " + model_path() + " --memory 10MiB").out.find("sparse-mezo"), std::string::npos);
  const std::string out = (scratch() / "small").string();
  const Outcome refused = run_program("tune " + model_path() + kTask + "--memory 100MiB --out " + out + " --data " +
                                      data_file("d.jsonl", kGood));
  EXPECT_EQ(refused.code, 4) << refused.err;
  EXPECT_EQ(refused.err.substr(0, 7), "error: ");
  EXPECT_FALSE(fs::exists(out));
}

TEST(Program, EvalRefusesABudgetThatDoesNotHoldBeforeItLoads) {
  if (!fs::exists(model_path())) GTEST_SKIP() << "no model: make model fetches it";
  const std::string data = "eval " + model_path() + kTask + "--data " + data_file("d.jsonl", kGood);
  const std::string text = "eval " + model_path() + " --text " + data_file("t.txt", std::string(20000, 'a') + " word");
  const std::string no_library = "FRUGAL_TORCH_LIBRARY=/nowhere.so";
  for (const auto& start : {data, text}) {
    const Outcome refused = run_program(start + " --memory 300MiB --json", no_library);
    EXPECT_EQ(refused.code, 4) << refused.out;
    const Json report = Json::parse(refused.out, nullptr, false);
    ASSERT_TRUE(report.is_object()) << refused.out;
    EXPECT_EQ(report["error"].get<std::string>().substr(0, 11), "eval needs ") << refused.out;
    EXPECT_NE(report["fix"].get<std::string>().find("--weights stored"), std::string::npos) << refused.out;
    // What it says would fit gets as far as opening the library.
    const std::string fix = report["fix"];
    const std::string options = fix.substr(0, fix.find(" -> "));
    EXPECT_EQ(run_program(start + " --memory 300MiB " + options, no_library).code, 3) << options;
    EXPECT_EQ(run_program(start + " --memory 2GiB", no_library).code, 3);
    EXPECT_EQ(run_program(start, no_library).code, 3);
  }
  EXPECT_EQ(run_program(data + " --memory lots").code, 2);
}

TEST(Program, MergeChecksItsExamplesBeforeItLoads) {
  if (!fs::exists(model_path())) GTEST_SKIP() << "no model: make model fetches it";
  const std::string out = (scratch() / "merged").string(), log = data_file("trajectory.bin", "not looked at yet");
  const std::string data = " --data " + data_file("d.jsonl", kGood);
  const std::string start = "merge " + model_path() + " " + log + " --out " + out;
  expect_refused(start + data, 2,
                 "--data is given, but " + log + ", a trajectory file alone, records no prompt and --template");
  expect_refused(start + data + " --template 'Review: {text}'", 2,
                 "--data is given, but " + log + ", a trajectory file alone, records no prompt and --labels");
  expect_refused(start + kTask, 2, "--template is given, but " + log);
  expect_refused(start + data + " --template 'Review: {txt}' --labels a,b", 3,
                 (scratch() / "d.jsonl").string() + " has no column 'txt'");
  const std::string rows = data_file("rows.safetensors", "not looked at yet");
  expect_refused("merge " + model_path() + " " + rows + " --step 3 --out " + out, 2,
                 "--step is given, but " + rows + " is an adapter alone");
  // With a folder, the prompt is the run's unless it is given.
  const auto run = scratch() / "told";
  fs::create_directories(run);
  write_file(run / "run.json",
             R"({"format": 1, "settings": {"template": "{no_such}", "labels": ["negative", "positive"]}})");
  const std::string told = "merge " + model_path() + " " + run.string() + " --out " + out + data;
  expect_refused(told, 3, (scratch() / "d.jsonl").string() + " has no column 'no_such'");
  EXPECT_EQ(run_program(told + " --template '{text}'", "FRUGAL_TORCH_LIBRARY=/nowhere.so").code, 3);
  write_file(run / "run.json", R"({"format": 1, "settings": {"objective": "dpo"}})");
  expect_refused(told, 2, "--data is given, but " + run.string() + " is a run of --objective dpo");
  EXPECT_FALSE(fs::exists(out));
}

TEST(Program, ConfigShowGivesValuesAndOrigins) {
  const Outcome o = run_program("config show tune --method mezo --lr 1e-4 --json", "FRUGAL_STEPS=7");
  Json report = Json::parse(o.out, nullptr, false);
  ASSERT_TRUE(report.is_object()) << o.out << o.err;
  EXPECT_EQ(report["lr"], Json({{"value", 1e-4}, {"from", "--lr"}}));
  EXPECT_EQ(report["steps"], Json({{"value", 7}, {"from", "FRUGAL_STEPS"}}));
  EXPECT_EQ(report["batch"]["from"], "default");
}

TEST(Program, ListNamesMethodsModelsAndRuns) {
  const auto folder = scratch() / "things";
  fs::create_directories(folder / "run");
  fs::create_directories(folder / "hf");
  write_file(folder / "run" / "run.json", "{\"weights_sha256\": \"0\"}");
  write_file(folder / "hf" / "config.json", "{}");
  write_file(folder / "hf" / "model.safetensors", "12345");
  write_file(folder / "m.gguf", "123");
  Json report = Json::parse(run_program("list --json " + folder.string()).out, nullptr, false);
  ASSERT_TRUE(report.is_object());
  std::set<std::string> names;
  for (const Json& method : report["methods"]) names.insert(method["name"].get<std::string>());
  for (const char* name : {"badam", "full", "lora", "mezo", "sparse-mezo"}) EXPECT_TRUE(names.contains(name)) << name;
  EXPECT_EQ(report["models"].size(), 2u);
  EXPECT_EQ(report["models"][0]["bytes"], 5);
  EXPECT_EQ(report["runs"][0]["is_finished"], true);
}

// What answers at once does not open LibTorch: a library that cannot load shows who does.
TEST(Program, AnswersFromHeadersWithoutLibTorch) {
  fs::create_directories(scratch() / "things");
  std::vector<std::string> quick = {"--help", "tune --help", "config show tune",
                                    "list " + (scratch() / "things").string()};
  if (fs::exists(model_path())) quick.push_back("plan " + model_path());
  for (const auto& arguments : quick) {
    EXPECT_EQ(run_program(arguments, "FRUGAL_TORCH_LIBRARY=/nowhere.so").code, 0) << arguments;
  }
}

// Which libraries a command maps, as the loader says: what is free of LibTorch never meets it, and no room's library is
// in another's process.
TEST(Program, MapsOnlyWhatItsRoomNeeds) {
  const auto mapped = [](const std::string& arguments) { return run_program(arguments, "LD_DEBUG=files").err; };
  const auto out = (scratch() / "mapped").string();
  for (const std::string& free : {"bandit run --items 4 --choose 2 --horizon 2000 --seeds 1 --quiet --out " + out,
                                  "swarm simulate --runs 1 --agents 3 --out " + out + ".csv", std::string("list")}) {
    const std::string said = mapped(free);
    EXPECT_NE(said.find("libcrypto"), std::string::npos) << "the loader says nothing";
    EXPECT_EQ(said.find("libtorch"), std::string::npos) << free;
  }
  EXPECT_TRUE(fs::exists(out + "/run.json"));
  if (fs::exists(FRUGAL_BINARY_DIR "/lib/libfrugal_signals.so")) {
    const std::string said =
        mapped("swarm train --runs 8 --agents 3 --window 5 --epochs 1 --quiet --out " + out + "-trained");
    EXPECT_NE(said.find("libtorch_cpu"), std::string::npos);
    EXPECT_EQ(said.find("libfrugal_torch"), std::string::npos);
  }
  if (fs::exists(FRUGAL_BINARY_DIR "/lib/libfrugal_torch.so") && fs::exists(model_path())) {
    const std::string said = mapped("generate " + model_path() + " --prompt a --max-new-tokens 1 --quiet");
    EXPECT_NE(said.find("libfrugal_torch"), std::string::npos);
    EXPECT_EQ(said.find("libfrugal_signals"), std::string::npos);
  }
}

}  // namespace
}  // namespace frugal
