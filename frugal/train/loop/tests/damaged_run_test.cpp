// What a run goes on with when its record, its events or its log of steps are not what it left.
#include "frugal/train/loop/tests/walk.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// A damaged line is refused where the run needs it, cut where its steps are taken again, and passed over on trust.
TEST_F(LoopTest, DamagedEventsAreNamedOrCut) {
  ASSERT_EQ(run({{"out", at("whole")}, {"falls", true}}), 0);
  const Json expected = record("whole")["results"];
  Walk::stop_after = 8;
  ASSERT_EQ(run({{"out", at("stopped")}, {"falls", true}}), 130);
  Walk::stop_after = -1;
  reset_interrupt();
  const fs::path events = folder_ / "stopped/events.jsonl";
  const std::string text = read_file(events);
  const auto line_of = [&](const std::string& what) { return text.find(what); };
  const auto damaged = [&](std::size_t place) {
    std::string other = text;
    other[place + 12] ^= 1;
    write_file(events, other);
  };
  damaged(line_of(R"({"event":"step","step":5)"));
  EXPECT_EQ(run({{"resume", at("stopped")}}), 3);
  EXPECT_NE(said_.find("events.jsonl is damaged"), std::string::npos) << said_;
  write_file(events, "");  // the snapshot of step 8 was written behind them
  EXPECT_EQ(run({{"resume", at("stopped")}}), 3);
  EXPECT_NE(said_.find("ends with step 0"), std::string::npos) << said_;
  fs::remove(events);
  EXPECT_EQ(run({{"resume", at("stopped")}}), 3);

  fs::copy(folder_ / "stopped", folder_ / "trusted", fs::copy_options::recursive);
  damaged(line_of(R"({"event":"step","step":5)"));
  fs::copy_file(events, folder_ / "trusted/events.jsonl");
  ASSERT_EQ(run({{"resume", at("trusted")}, {"trust_damaged", true}}), 0) << said_;
  EXPECT_EQ(record("trusted")["results"]["end"], expected["end"]);

  write_file(events, text + "{\"event\":\"step\",\"step\":9,\"crc\":\"00000000\"}\n");  // a step that is taken again
  ASSERT_EQ(run({{"resume", at("stopped")}}), 0) << said_;
  EXPECT_EQ(record("stopped")["results"]["best"], expected["best"]);
  EXPECT_EQ(record("stopped")["results"]["state_sha256"], expected["state_sha256"]);
}

// A step that a kill left in the log of steps alone is taken again: what is known of a run lacks nothing.
TEST_F(LoopTest, TakesAStepAgainThatHasNoEvent) {
  ASSERT_EQ(run({{"out", at("whole")}, {"replays", true}}), 0);
  Walk::stop_after = 8;
  EXPECT_EQ(run({{"out", at("r")}, {"replays", true}}), 130);
  Walk::stop_after = -1;
  reset_interrupt();
  const fs::path events = folder_ / "r/events.jsonl";
  std::string text = read_file(events);
  text.erase(text.rfind('\n', text.size() - 2) + 1);
  write_file(events, text);
  fs::remove_all(folder_ / "r/snapshots");  // a kill writes none
  ASSERT_EQ(read_trajectory(folder_ / "r/trajectory.bin").steps.size(), 8u);
  ASSERT_EQ(events_of_run(folder_ / "r").events.back()["step"], 7);
  ASSERT_EQ(run({{"resume", at("r")}}), 0) << said_;
  for (const char* key : {"end", "best", "mean", "state_sha256"})
    EXPECT_EQ(record("r")["results"][key], record("whole")["results"][key]) << key;
  EXPECT_EQ(events_of_run(folder_ / "r").events.size(), events_of_run(folder_ / "whole").events.size());
}

// A number in its record that no run begins with is refused, believed or not.
TEST_F(LoopTest, ValidatesWhatItGoesOnWith) {
  Walk::stop_after = 2;
  EXPECT_EQ(run({{"out", at("r")}}), 130);
  Walk::stop_after = -1;
  reset_interrupt();
  Json damaged = record("r");
  damaged["settings"]["steps"] = 0;
  write_file(folder_ / "r/run.json", damaged.dump());
  EXPECT_EQ(run({{"resume", at("r")}, {"trust_damaged", true}}), static_cast<int>(Exit::usage));
}

// Settings that somebody edited are refused, and the snapshots stay; trusted they count from then on, however often the
// run is stopped.
TEST_F(LoopTest, EditedSettingsAreRefusedOrTrustedForGood) {
  for (const bool replays : {false, true}) {
    const std::string name = replays ? "replays" : "snapshots";
    Walk::stop_after = 8;
    ASSERT_EQ(run({{"out", at(name)}, {"replays", replays}}), 130);
    reset_interrupt();
    Json edited = json_of(read_file(folder_ / name / "run.json"));
    edited["settings"]["steps"] = 14;
    write_file(folder_ / name / "run.json", edited.dump());
    EXPECT_EQ(run({{"resume", at(name)}}), 3);
    EXPECT_NE(said_.find("was edited"), std::string::npos) << said_;
    Walk::stop_after = 10;
    EXPECT_EQ(run({{"resume", at(name)}, {"trust_damaged", true}}), 130) << said_;
    Walk::stop_after = -1;
    reset_interrupt();
    ASSERT_EQ(run({{"resume", at(name)}}), 0) << said_;
    EXPECT_EQ(record(name)["results"]["steps"], 14);
    ASSERT_EQ(run({{"out", at(name + "-whole")}, {"replays", replays}, {"steps", 14}}), 0);
    EXPECT_EQ(record(name)["results"]["end"], record(name + "-whole")["results"]["end"]);
  }
}

// A record and snapshots that do not belong together.
TEST_F(LoopTest, SnapshotsOfOtherSettingsAreNeitherTakenNorLost) {
  for (const std::string name : {"a", "b"}) {
    Walk::stop_after = 8;
    ASSERT_EQ(run({{"out", at(name)}, {"seed", name == "a" ? 1 : 2}}), 130);
    reset_interrupt();
  }
  Walk::stop_after = -1;
  fs::copy_file(folder_ / "a/run.json", folder_ / "b/run.json", fs::copy_options::overwrite_existing);
  EXPECT_EQ(run({{"resume", at("b")}}), 3);
  EXPECT_NE(said_.find("was made with other settings"), std::string::npos) << said_;
  EXPECT_FALSE(fs::is_empty(folder_ / "b/snapshots"));
}

}  // namespace
}  // namespace frugal
