// frugal prune on a model of two layers whose tokens are letters, for tests.
#pragma once
#include "frugal/base/json_text.h"
#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {

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
  // Killed as soon as there is a snapshot of that step, and resumed. Where the run was faster than the killer, again.
  void stop_at(int step, const std::string& name, const std::string& arguments) const {
    const fs::path run_folder = folder_ / (name + ".run");
    const auto is_done = [&] { return json_of(read_file(run_folder / "run.json"))["status"] == "done"; };
    for (int attempt = 0; attempt < 10; ++attempt) {
      fs::remove_all(run_folder);
      fs::remove_all(folder_ / name);
      run_until(arguments, [&] { return has_snapshot(name + ".run", step) || fs::exists(folder_ / name); });
      if (!is_done()) break;
    }
    ASSERT_FALSE(is_done()) << "killed too late ten times";
    const Outcome resumed = run("prune --quiet --json --resume " + at(name + ".run"));
    ASSERT_EQ(resumed.code, 0) << resumed.out << resumed.err;
  }
  // The last importance of heads that a run has drawn.
  std::string last_map(const std::string& name) const {
    const std::string events = read_file(folder_ / (name + ".run") / "events.jsonl");
    const std::size_t at = events.rfind("\"head_importance\"");
    return at == std::string::npos ? "none" : events.substr(at, events.find(",\"crc\"", at) - at);
  }
  std::string bits(const std::string& model) const { return read_file(folder_ / model / "model.safetensors"); }
};

}  // namespace frugal
