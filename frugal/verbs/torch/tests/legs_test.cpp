// A run goes on with other settings, a leg: what it keeps, what begins anew, and what is refused.
#include <gtest/gtest.h>

#include "frugal/verbs/torch/tests/tuned_letters.h"

namespace frugal {
namespace {

class Legs : public TunedLetters {
 protected:
  Json record(const std::string& name) const { return json_of(read_file(folder_ / name / "run.json")); }
  Outcome resume(const std::string& name, const std::string& how) const {
    return run("tune --resume " + at(name) + " --quiet " + how);
  }
  std::vector<double> rates(const std::string& name) const {
    std::vector<double> all;
    std::istringstream lines(read_file(folder_ / name / "events.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const Json event = json_of(line);
      if (event["event"] == "step") all.push_back(event["lr"].get<double>());
    }
    return all;
  }
};

// More steps at a constant rate are the bits of a run that had them from the beginning; other settings are another leg.
TEST_F(Legs, ARunGoesOnWithMoreSteps) {
  for (const std::string how : {"--method lora --rank 4", "--method mezo --lr 1e-3", "--method full --lr 1e-4"}) {
    const std::string name = how.substr(9, 4), all = name + "-all";
    ASSERT_NO_FATAL_FAILURE(tune(name, how + " --warmup 2"));
    const std::string resume = "tune --resume " + at(name) + " --quiet --json";
    ASSERT_EQ(run(resume + " --steps 12").code, 0);
    EXPECT_EQ(run(resume).code, 0) << "it is done again";
    const Outcome whole = run("tune " + at("model") + " --data " + at("train.jsonl") + " --dev " + at("dev.jsonl") +
                              " --template '{text} :' --labels N,Y --max-length 16 --batch 4 --steps 12 --eval-every 4 "
                              "--checkpoint-every 4 --threads 1 --quiet --json --warmup 2 --out " +
                              at(all) + " " + how);
    ASSERT_EQ(whole.code, 0) << whole.out;
    EXPECT_EQ(record(name)["weights_sha256"], record(all)["weights_sha256"]) << how;
    EXPECT_EQ(record(name)["results"]["best"], record(all)["results"]["best"]);
    EXPECT_EQ(record(name)["legs"].size(), 1u);
    EXPECT_EQ(run("rerun " + at(name) + " --out " + at(name + "-again") + " --quiet").code, 0);
    const Outcome other = run(resume + " --steps 16 --lr 2e-3 --schedule linear --eval-every 2");
    ASSERT_EQ(other.code, 0) << other.out << other.err;
    EXPECT_NE(record(name)["weights_sha256"], record(all)["weights_sha256"]);
    EXPECT_EQ(run("rerun " + at(name) + " --out " + at(name + "-no") + " --quiet").code, 2) << "legs with other rates";
    const std::string events = read_file(folder_ / name / "events.jsonl");
    EXPECT_NE(events.find(R"("step":13,"loss")"), std::string::npos);
    EXPECT_NE(events.find(R"("lr":0.0020000000949949026)"), std::string::npos) << "the schedule begins with its leg";
    expect_refused("tune --resume " + at(name) + " --steps 20", 2, "--schedule is linear");
    expect_refused("tune --resume " + at(name) + " --steps 5 --schedule constant", 2, "has taken 16 steps");
    expect_refused("tune --resume " + at(name) + " --batch 8", 2, "takes --batch from the run");
    line("eval " + at(name));
  }
}

// A schedule that is given again, the same one too, begins with the leg; a rate that is given goes before a race's.
TEST_F(Legs, SchedulesBeginAnew) {
  ASSERT_NO_FATAL_FAILURE(tune("run", "--method lora --lr 1e-2 --schedule linear"));
  ASSERT_EQ(resume("run", "--steps 12 --schedule linear").code, 0);
  const auto found = rates("run");
  ASSERT_EQ(found.size(), 12u);
  EXPECT_NEAR(found[0], 1e-2, 1e-8);
  EXPECT_NEAR(found[7], 1e-2 / 8, 1e-8);
  EXPECT_NEAR(found[8], 1e-2, 1e-8);
  EXPECT_NEAR(found[11], 1e-2 / 4, 1e-8);
  ASSERT_EQ(resume("run", "--steps 14 --lr 5e-3 --schedule constant --warmup 2").code, 0);
  EXPECT_NEAR(rates("run")[12], 2.5e-3, 1e-8);
  EXPECT_NEAR(rates("run")[13], 5e-3, 1e-8);
  ASSERT_NO_FATAL_FAILURE(tune("raced", "--method mezo --lr auto"));
  ASSERT_EQ(resume("raced", "--steps 10 --lr 1e-4").code, 0);
  EXPECT_NEAR(rates("raced")[9], 1e-4, 1e-9);
  EXPECT_EQ(record("raced")["results"]["lr"], 1e-4);
  expect_refused("tune --resume " + at("raced") + " --steps 20 --lr auto", 2, "no race");
}

TEST_F(Legs, PatienceBeginsAnew) {
  ASSERT_NO_FATAL_FAILURE(tune("run", "--method lora --lr 0 --patience 2"));
  EXPECT_EQ(record("run")["results"]["steps"], 8);
  ASSERT_EQ(resume("run", "--steps 40").code, 0);
  EXPECT_EQ(record("run")["results"]["steps"], 16) << "two more evaluations, and no better one";
  EXPECT_EQ(run("rerun " + at("run") + " --out " + at("again")).code, 2);
}

// What was computed with other settings is no place to go on from.
TEST_F(Legs, AnOlderSnapshotThanTheLegIsRefused) {
  ASSERT_NO_FATAL_FAILURE(tune("run", "--method full --lr 1e-3 --keep 5"));
  ASSERT_EQ(resume("run", "--steps 11 --lr 2e-3 --checkpoint-every 50 --eval-every 50").code, 0);
  for (const char* newest : {"snapshots/step-000008.frugal", "snapshots/step-000011.frugal"}) {
    std::string bytes = read_file(folder_ / "run" / newest);
    bytes[bytes.size() / 2] ^= 1;
    write_file(folder_ / "run" / newest, bytes);
  }
  const Json before = record("run");
  expect_refused("tune --resume " + at("run") + " --steps 16", 3, "settings changed after step 8");
  EXPECT_EQ(record("run"), before);
  fs::remove_all(folder_ / "run/snapshots");
  expect_refused("tune --resume " + at("run") + " --steps 16", 3, "neither a whole snapshot");
  EXPECT_TRUE(fs::exists(folder_ / "run/events.jsonl"));
}

// Legs that a record names are not believed.
TEST_F(Legs, RecordsOfOtherLegsAreRefused) {
  ASSERT_NO_FATAL_FAILURE(tune("run", "--method lora"));
  const Json good = record("run");
  for (const char* legs : {"[{}]", "5", "[5]", R"([{"from": -4, "settings": {}, "settings_sha256": ""}])",
                           R"([{"from": 4, "settings": [], "settings_sha256": ""}])",
                           R"([{"from": 9223372036854775807, "settings": {}, "settings_sha256": ""}])"}) {
    Json bad = good;
    bad["legs"] = json_of(legs);
    bad["format"] = 1;
    bad.erase("checksum");
    write_file(folder_ / "run/run.json", bad.dump());
    for (const std::string& verb :
         {"eval " + at("run"), "tune --resume " + at("run"), "rerun " + at("run") + " --out " + at("no"),
          "merge " + at("model") + " " + at("run") + " --out " + at("no")})
      expect_refused(verb, 3, "legs");
  }
}

TEST_F(Legs, EvalHoldsTheRunsExamplesAgainstTheirHash) {
  ASSERT_NO_FATAL_FAILURE(tune("run", "--method lora"));
  write_file(folder_ / "dev.jsonl", read_file(folder_ / "dev.jsonl") + R"({"text": "ab", "label": "Y"})"
                                                                       "\n");
  expect_refused("eval " + at("run"), 3, "is not as it was when");
}

}  // namespace
}  // namespace frugal
