// Completions, chats and preferences from the command line: what is trained is shown, and data that cannot serve is
// refused with one line of error and one of fix before anything is loaded.
#include <gtest/gtest.h>

#include <algorithm>

#include "frugal/base/json.h"
#include "run_program.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

class Answers : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(model_path())) GTEST_SKIP() << "no model: make model fetches it";
  }
  static std::string file(const std::string& name, const std::string& text) {
    write_file(scratch() / name, text);
    return (scratch() / name).string();
  }
  static std::string tune(const std::string& more) {
    return "tune " + model_path() + " --out " + (scratch() / "run").string() + " " + more;
  }
  static std::string eval(const std::string& more) { return "eval " + model_path() + " " + more; }
  // Two lines, "error: " with `error` in it and "fix: " with `fix` in it; no folder is left.
  static void expect_refused(const std::string& arguments, int code, const std::string& error, const std::string& fix) {
    const Outcome o = run_program(arguments);
    EXPECT_EQ(o.code, code) << arguments << "\n" << o.err;
    ASSERT_TRUE(o.err.starts_with("error: ")) << o.err;
    const std::size_t second = o.err.find("\nfix: ");
    ASSERT_NE(second, std::string::npos) << o.err;
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 2) << o.err;
    EXPECT_NE(o.err.substr(0, second).find(error), std::string::npos) << o.err;
    EXPECT_NE(o.err.substr(second).find(fix), std::string::npos) << o.err;
    EXPECT_EQ(o.out, "");
    EXPECT_FALSE(fs::exists(scratch() / "run"));
  }
};

Json message(const std::string& role, const std::string& content) { return {{"role", role}, {"content", content}}; }

TEST_F(Answers, ErrorsOfTheDataAreNamed) {
  std::string words;
  for (int i = 0; i < 9000; ++i) words += "word ";
  const auto chat = [&](const std::string& answer) {
    return Json{{"messages", {message("user", "hello"), message("assistant", answer)}}}.dump() + "\n";
  };
  const std::string fine = chat("fine");
  expect_refused(tune("--data " + file("long.jsonl", fine + chat(words))), 3,
                 "long.jsonl line 2: the conversation's last turn needs 9",
                 "raise --max-length (the model's context is");
  expect_refused(tune("--max-length 8192 --data " + file("long.jsonl", fine + chat(words))), 3, "--max-length is 8192",
                 "that is the model's whole context of 8192 tokens: shorten it");
  expect_refused(tune("--data " + file("empty.jsonl", fine + chat(" "))), 3,
                 "empty.jsonl line 2: message 2 is an answer without text", "leave the record out");
  const std::string prompt = "--template 'Q: {q}\\nA:' ";
  expect_refused(tune(prompt + "--data " + file("none.jsonl", "{\"q\":\"x\",\"completion\":\"\"}\n")), 3,
                 "none.jsonl line 1: the completion has no token", "give it some text, or leave the record out");
  expect_refused(tune(prompt + "--data " + file("column.jsonl", "{\"q\":\"x\",\"answer\":\"y\"}\n")), 3,
                 "column.jsonl has no column 'completion'", "the columns are: q, answer");
  expect_refused(tune(prompt + "--data " + file("gap.jsonl", "{\"q\":\"x\",\"completion\":\"y\"}\n{\"q\":\"z\"}\n")), 3,
                 "gap.jsonl line 2: no text in 'completion'", "give every record this column");
  const std::string dpo = "--objective dpo --method lora --data ";
  const auto pair = [](const std::string& chosen, const std::string& rejected) {
    return Json{{"prompt", "Sky?"}, {"chosen", chosen}, {"rejected", rejected}}.dump() + "\n";
  };
  expect_refused(tune(dpo + file("same.jsonl", pair("a", "b") + pair("a", "a"))), 3,
                 "same.jsonl line 2: 'chosen' and 'rejected' are the same 2 tokens", "leave the record out");
  expect_refused(tune(dpo + file("one.jsonl", "{\"prompt\":\"p\",\"chosen\":\"a\"}\n")), 3,
                 "one.jsonl line 1: the record has no 'rejected'", "prompt, chosen and rejected");
  expect_refused(tune(dpo + file("wide.jsonl", pair("a", words))), 3, "the prompt with its longer answer needs 9",
                 "raise --max-length");
}

TEST_F(Answers, OptionsThatDoNotBelongTogetherAreRefused) {
  const std::string pairs = file("p.jsonl", R"({"prompt": "Sky?", "chosen": "Blue.", "rejected": "Green."})");
  const std::string chats =
      file("c.jsonl", Json{{"messages", {message("user", "hello"), message("assistant", "hi")}}}.dump());
  const std::string text = file("t.txt", "Some running text.");
  expect_refused(tune("--objective dpo --dpo-beta 0 --method lora --data " + pairs), 2, "--dpo-beta is 0", "0.1");
  expect_refused(tune("--dpo-beta 0.2 --method lora --data " + chats), 2, "--dpo-beta is given",
                 "leave --dpo-beta out");
  expect_refused(tune("--objective dpo --method lora --loss-on all --data " + pairs), 2, "--loss-on is given", "leave");
  expect_refused(tune("--objective accuracy --method lora --data " + chats), 2, "accuracy", "");
  expect_refused(tune("--objective dpo --template 'x{prompt}' --labels a,b --data " + pairs), 2, "--labels is given",
                 "leave one of them out");
  expect_refused(tune("--dev-metric exact_match --data " + chats), 2, "but there is no --dev", "give --dev");
  expect_refused(tune("--dev-metric accuracy --data " + chats + " --dev " + chats), 2,
                 "--dev-metric is accuracy, which sequences have not", "loss, exact_match, f1, rougeL");
  expect_refused(tune("--dev-metric exact_match --data " + text + " --dev " + text), 2, "is running text", "chats");
  expect_refused(tune("--dev-metric exact_match --match answer --data " + chats + " --dev " + chats), 3,
                 "record 1: --match answer: the reference 'hi' has no number after ####", "--match exact");
  expect_refused(eval("--data " + chats + " --max-new-tokens 5"), 2, "--max-new-tokens is given", "leave");
  expect_refused(eval("--data " + chats + " --generate --max-new-tokens 0"), 2, "--max-new-tokens is 0",
                 "1 is the least");
  expect_refused(eval("--data " + chats + " --generate --loss-on all"), 2, "--loss-on is all", "leave --loss-on out");
  expect_refused(eval("--data " + text + " --generate"), 2, "is running text", "prompts with completions");
  expect_refused(eval("--text " + text + " --generate"), 2, "--generate is given", "leave --generate out");
  expect_refused(eval("--data " + chats + " --generate --predictions /nowhere/at/all.jsonl"), 3, "/nowhere", "");
  expect_refused(eval("--data " + chats + " --generate --memory 300MiB"), 4, "eval needs", "--");
}

// Every error of first-order methods is one line with both values and one that mends it, and leaves no run.
TEST_F(Answers, FirstOrderMethodsSayWhatTheyCannotDo) {
  const std::string labels =
      "--quiet --template '{text}:' --labels a,b --data " + file("l.csv", "text,label\nx,a\ny,b\n") + " --method ";
  const std::string chats = "--quiet --method lora --data ",
                    golden = FRUGAL_SOURCE_DIR "/frugal/formats/adapter/tests/golden/dora";
  std::string words;
  for (int i = 0; i < 9000; ++i) words += "word ";
  const auto chat = [&](const std::string& answer) {
    return Json{{"messages", {message("user", "hello"), message("assistant", answer)}}}.dump() + "\n";
  };
  const auto adapter = [](const std::string& name, const Json& more) {
    Json config = {{"peft_type", "LORA"}, {"task_type", "CAUSAL_LM"}, {"r", 4},
                   {"lora_alpha", 8},     {"bias", "none"},           {"target_modules", {"q_proj"}}};
    config.update(more);
    fs::create_directories(scratch() / name);
    write_file(scratch() / name / "adapter_config.json", config.dump());
    write_file(scratch() / name / "adapter_model.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10));
    return (scratch() / name).string();
  };
  const std::string header =
      Json{{"model.layers.3.mlp.up_proj.weight.rows", {{"dtype", "I32"}, {"shape", {1}}, {"data_offsets", {0, 4}}}},
           {"model.layers.3.mlp.up_proj.weight.row_values",
            {{"dtype", "F32"}, {"shape", {1, 128}}, {"data_offsets", {4, 516}}}}}
          .dump();
  const std::string rows = file("other.safetensors", std::string(1, static_cast<char>(header.size() % 256)) +
                                                         static_cast<char>(header.size() / 256) + std::string(6, '\0') +
                                                         header + std::string(516, '\0'));
  struct Refused {
    std::string arguments;
    int code;
    std::string error, fix;
  };
  const Refused table[] = {
      {labels + "badam --switch-every 0", 2, "--switch-every is '0', expected a number of steps >= 1 or auto", "fixed"},
      {labels + "badam --switch-every -3", 2, "--switch-every is '-3'", "fixed"},
      {labels + "badam --block rows", 2, "--block is \"rows\", expected layer, module, matrix or custom:", "layer"},
      {labels + "badam --block custom:", 2, "--block is \"custom:\", expected layer", "layer"},
      {labels + "badam --switch-mode up", 2, "--switch-mode is 'up', expected one of random, ascending", "order"},
      {labels + "badam --block 'custom:model.layers.1;model.layers.2+model.layers.1.mlp'", 2,
       "--block puts model.layers.1.mlp.gate_proj.weight into block 0 and block 1 of 'model.layers.1;", "not overlap"},
      {labels + "badam --block 'custom:model.layers.99'", 2, "block 0 of 'model.layers.99' matches no parameter",
       "give prefixes of names"},
      {labels + "badam --start-block 30", 2, "--start-block is 30, but there are 30 blocks", "the last is 29"},
      {labels + "spruft --rows 8 --ratio 0.1", 2, "--rows is 8 and --ratio is 0.1, expected one", "leave one out"},
      {labels + "spruft --rows 2000", 2, "--rows is 2000, but model.layers.0.self_attn.q_proj.weight has 576 rows",
       "--rows 576 is the most"},
      {labels + "lora --adapter " + golden, 3, "lora_A.weight has shape [4, 24], expected [4, 576]",
       "made for another model"},
      {labels + "spruft --adapter " + rows, 3, "row_values has shape [1, 128], expected [1, 576]",
       "made for another model"},
      {labels + "lora --adapter " + adapter("saved", {{"modules_to_save", {"lm_head"}}}), 3,
       "'modules_to_save' is '[\"lm_head\"]', which is not supported", "plain LoRA"},
      {labels + "lora --adapter " + adapter("unknown", {{"flux_capacitor", 88}}), 3, "'flux_capacitor' is '88'",
       "plain LoRA"},
      {labels + "full --memory 700MiB", 4, "full needs 1.5", "; or --method lora --weights stored ("},
      {chats + file("long.jsonl", chat("fine") + chat(words)), 3, "last turn needs 9034 tokens, --max-length is 1024",
       "raise --max-length (the model's context is 8192 tokens)"},
      {chats + file("empty.jsonl", chat("fine") + chat(" ")), 3, "line 2: message 2 is an answer without text",
       "leave the record out"}};
  for (const Refused& each : table) {
    expect_refused(tune(each.arguments), each.code, each.error, each.fix);
    fs::remove_all(scratch() / "run");
  }
  if (!fs::exists(FRUGAL_BINARY_DIR "/lib/libfrugal_torch.so")) return;  // what is trained is known when it is loaded
  expect_refused(tune(labels + "lora --targets nothing"), 2, "--targets names 'nothing', which no linear",
                 "choose from q_proj");
  expect_refused(tune(labels + "spruft --targets nothing"), 2, "nothing is trained: no row is chosen",
                 "choose other --targets");
  expect_refused(tune(labels + "spruft --weights stored --score taylor"), 2,
                 "--score is taylor, but model.layers.0.self_attn.q_proj.weight is kept as Q4_1", "--score wanda");
}

// auto takes of the methods that have the objective; other options still need a method's name.
TEST_F(Answers, AutoChoosesAmongTheMethodsOfAnObjective) {
  const std::string pairs = file("p.jsonl", R"({"prompt": "Sky?", "chosen": "Blue.", "rejected": "Green."})");
  const std::string labels = "--template '{text}:' --labels a,b --data " + file("l.csv", "text,label\nx,a\ny,b\n");
  const auto method_of = [](const std::string& more) {
    const Outcome o = run_program(tune("--method auto --memory 2GiB --dry-run --json " + more));
    const Json report = Json::parse(o.out, nullptr, false);
    return report.is_object() && o.code == 0
               ? report["settings"].value("method", "") + " " + report["settings"].value("objective", "")
               : o.err;
  };
  EXPECT_EQ(method_of("--objective dpo --data " + pairs), "lora dpo");
  EXPECT_EQ(method_of(labels), "lora ce");
  EXPECT_EQ(method_of("--objective accuracy " + labels), "mezo accuracy");
  expect_refused(tune("--method auto --objective speed " + labels), 2, "--objective is 'speed', expected one of ce",
                 "");
  expect_refused(tune("--method auto --objective accuracy --data " + pairs), 2, "but the data has no labels",
                 "give --labels");
  expect_refused(tune("--method auto --lr 1e-4 " + labels), 2, "--lr is not an option of --method auto",
                 "choose another --method");
}

TEST_F(Answers, OnePairIsShownBeforeItIsTrained) {
  const std::string pairs = file("p.jsonl", Json{{"prompt", {message("user", "Sky?")}},
                                                 {"chosen", {message("assistant", "Blue.")}},
                                                 {"rejected", {message("assistant", "Green.")}}}
                                                .dump());
  const Outcome o = run_program(tune("--objective dpo --method lora --dry-run --json --data " + pairs));
  ASSERT_EQ(o.code, 0) << o.err;
  const Json report = Json::parse(o.out, nullptr, false);
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report["data"]["first"]["chosen"], "Blue.<|im_end|>");
  EXPECT_EQ(report["data"]["pairs"], 1);
  EXPECT_NE(o.err.find("\nrejected:\n  | Green.<|im_end|>\n"), std::string::npos) << o.err;
  EXPECT_FALSE(fs::exists(scratch() / "run"));
}

}  // namespace
}  // namespace frugal
