// Short runs of tune on a model of two layers whose tokens are letters.
#pragma once
#include "frugal/base/json_text.h"
#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {

class TunedLetters : public OnLetters {
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

}  // namespace frugal
