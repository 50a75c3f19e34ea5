#include "frugal/train/run/run_folder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/train/run/events.h"
#include "frugal/train/run/machine.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

const Json kDescription = {{"settings", {{"steps", 10}}}, {"base", {{"path", "m.gguf"}, {"sha256", "aaa"}}}};

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
    EXPECT_FALSE(error.fix().empty());
    return error.what();
  }
  return "no error";
}
void expect_has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(RunFolder, RecordsARunToItsEnd) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a/b/run";
  {
    RunFolder run = RunFolder::create(path, kDescription);
    run.keep();
    const Json record = RunFolder::read_record(path);
    EXPECT_EQ(record["status"], "running");
    EXPECT_EQ(record["settings"], kDescription["settings"]);
    EXPECT_GE(record["machine"]["cores"], 1);
    run.finish(RunStatus::done, {{"seconds", 1.5}}, "beef");
  }
  const std::string text = read_file(path / "run.json");
  const Json record = Json::parse(text);
  EXPECT_EQ(record.back(), "beef");
  EXPECT_EQ(std::prev(record.end()).key(), "weights_sha256");
  EXPECT_EQ(record["status"], "done");
  RunFolder again = RunFolder::resume(path);
  again.set_status(RunStatus::running);  // what ended before is over
  EXPECT_FALSE(RunFolder::read_record(path).contains("weights_sha256"));
}

TEST(RunFolder, ARefusedRunLeavesNoFolder) {
  const TemporaryFolder folder;
  { RunFolder run = RunFolder::create(folder / "a/b/run", kDescription); }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  fs::create_directories(folder / "given");
  { RunFolder run = RunFolder::create(folder / "given/", kDescription); }
  EXPECT_TRUE(fs::is_empty(folder / "given"));
}

TEST(RunFolder, RefusesFoldersInUse) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "mine");
  write_file(folder / "mine/thesis.txt", "years of work");
  expect_has(error_of([&] { RunFolder::create(folder / "mine", kDescription); }), "not empty");
  EXPECT_EQ(read_file(folder / "mine/thesis.txt"), "years of work");
  expect_has(error_of([&] { RunFolder::create(folder / "mine/thesis.txt", kDescription); }), "is a file");
  RunFolder::create(folder / "run", kDescription).keep();
  expect_has(error_of([&] { RunFolder::create(folder / "run", kDescription); }), "holds another run");
  EXPECT_TRUE(fs::exists(folder / "run/run.json"));
}

TEST(RunFolder, OneProcessWrites) {
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", kDescription);
  run.keep();
  expect_has(error_of([&] { RunFolder::resume(folder / "run"); }), "process " + std::to_string(::getpid()));
  EXPECT_NO_THROW(RunFolder::read_record(folder / "run"));
}

// The lock goes with the process; what it was writing is swept up.
TEST(RunFolder, KilledRunsGoOn) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    RunFolder run = RunFolder::create(folder / "run", kDescription);
    fs::create_directories(run.snapshots());
    write_file(run.snapshots() / "step-000050.frugal.tmp-123", "half");
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  RunFolder run = RunFolder::resume(folder / "run");
  EXPECT_EQ(run.record()["status"], "running");
  EXPECT_TRUE(fs::is_empty(run.snapshots()));
}

// A process killed before it wrote run.json leaves a lock and a part; the folder is still free.
TEST(RunFolder, LeftoversAreNoRun) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "run");
  write_file(folder / "run/lock", "1");
  write_file(folder / "run/run.json.tmp-1", "{");
  EXPECT_NO_THROW(RunFolder::create(folder / "run", kDescription).keep());
}

TEST(RunFolder, RefusesWhatIsNoRun) {
  const TemporaryFolder folder;
  expect_has(error_of([&] { RunFolder::resume(folder / "none"); }), "not a run");
  const auto refused = [&](const std::string& text, const std::string& why) {
    write_file(folder / "run.json", text);
    expect_has(error_of([&] { RunFolder::resume(folder.path()); }), "is not the record of a run: " + why);
  };
  refused(R"({"format": 1})", "it has no \"settings\"");
  const std::string start = R"({"format": 1, "settings": {}, )";
  refused(R"({"format": 1, "settings": []})", "its \"settings\" is array, expected object");
  refused(start + R"("status": 7})", "its \"status\" is number, expected string");
  refused(start + R"("action": null})", "its \"action\" is null, expected string");
  refused(start + R"("results": []})", "its \"results\" is array, expected object");
  refused(start + R"("weights_sha256": {}})", "its \"weights_sha256\" is object, expected string");
  refused(start + R"("base": {"sha256": 1}})", "its \"base.sha256\" is number, expected string");
  refused(start + R"("files": {"dev": []}})", "its \"files.dev\" is array, expected object");
  refused(start + R"("files": {"dev": {"path": 1}}})", "its \"files.dev.path\" is number, expected string");
  refused(R"({"format": 1, "settings": )" + std::string(100, '[') + std::string(100, ']') + "}", "it is nested");
  for (const char* text : {"", "[1]", "{}", R"({"format": "one"})"}) {
    write_file(folder / "run.json", text);
    expect_has(error_of([&] { RunFolder::resume(folder.path()); }), "not the record of a run");
  }
  write_file(folder / "run.json", R"({"format": 3})");
  expect_has(error_of([&] { RunFolder::resume(folder.path()); }), "has format 3, this program knows 2");
  write_file(folder / "run.json", R"({"format": 0})");
  expect_has(error_of([&] { RunFolder::resume(folder.path()); }), "its \"format\" is 0");
  EXPECT_FALSE(fs::exists(folder / "lock"));
  fs::remove(folder / "run.json");
  ASSERT_EQ(::mkfifo((folder / "run.json").c_str(), 0600), 0);
  expect_has(error_of([&] { RunFolder::read_record(folder.path()); }), "run.json: it is not a file");
}

TEST(AppendFile, WaitsForNoPipe) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "events.jsonl").c_str(), 0600), 0);
  expect_has(error_of([&] { EventLog(folder / "events.jsonl"); }), "events.jsonl: it is not a file");
}

TEST(RunFolder, NamesBothBases) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder / "run", kDescription);
  EXPECT_NO_THROW(run.require_base("aaa"));
  const std::string error = error_of([&] { run.require_base("bbb"); });
  expect_has(error, "aaa");
  expect_has(error, "bbb");
}

TEST(EventLog, GoesOnBehindTheLastWholeLine) {
  const TemporaryFolder folder;
  const auto path = folder / "events.jsonl";
  EXPECT_TRUE(read_events(path, true).events.empty());
  {
    EventLog log(path);
    for (int i = 0; i < 3; ++i) log.append({{"event", "step"}, {"step", i}});
  }
  const std::string whole = read_file(path);
  for (std::size_t cut = 1; cut < 20; ++cut) {
    write_file(path, whole.substr(0, whole.size() - cut));
    EXPECT_EQ(read_events(path, true).events.size(), 2u);
    EXPECT_EQ(read_events(path, true).damaged_line, 0u) << "a killed process";
    EventLog(path).append({{"event", "again"}});
    const auto events = read_events(path, true).events;
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[2], (Json{{"event", "again"}})) << "without the checksum";
  }
}

// Any byte that changes, any line that goes or moves is found at its place.
TEST(EventLog, NamesTheFirstDamagedLine) {
  const TemporaryFolder folder;
  const auto path = folder / "events.jsonl";
  {
    EventLog log(path);
    for (int i = 0; i < 4; ++i) log.append({{"event", "eval"}, {"step", i}, {"accuracy", 0.25 * i}});
  }
  const std::string whole = read_file(path);
  EXPECT_EQ(read_events(path, true).damaged_line, 0u);
  std::size_t line = 1;
  for (std::size_t at = 0; at + 1 < whole.size(); ++at) {  // the last line feed alone is one of a torn line
    for (const int bit : {0, 2, 6}) {
      std::string text = whole;
      text[at] = static_cast<char>(text[at] ^ 1 << bit);
      write_file(path, text);
      const ReadEvents read = read_events(path, true);
      EXPECT_EQ(read.damaged_line, line) << "byte " << at << " bit " << bit;
      EXPECT_EQ(read.events.size(), line - 1);
    }
    line += whole[at] == '\n';
  }
  const std::size_t second = whole.find('\n') + 1, third = whole.find('\n', second) + 1;
  write_file(path, whole.substr(0, second) + whole.substr(third));
  EXPECT_EQ(read_events(path, true).damaged_line, 2u) << "a line is missing";
  write_file(path, whole.substr(second, third - second) + whole);
  EXPECT_EQ(read_events(path, true).damaged_line, 1u) << "one is in another place";
  write_file(path, "{\"event\":\"step\",\"step\":1}\nnothing\n");
  EXPECT_EQ(read_events(path, false).damaged_line, 2u) << "a run of before there were checksums";
  EXPECT_EQ(read_events(path, false).events.size(), 1u);
}

// Every digit of a record counts; what somebody has looked at is believed.
TEST(RunFolder, RefusesARecordThatChanged) {
  const TemporaryFolder folder;
  RunFolder::create(folder / "run", kDescription).keep();
  const fs::path path = folder / "run/run.json";
  const std::string whole = read_file(path);
  std::size_t tried = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int bit : {0, 1, 3}) {
      std::string text = whole;
      text[at] = static_cast<char>(text[at] ^ 1 << bit);
      const Json there = Json::parse(text, nullptr, false);
      if (there == Json::parse(whole)) continue;  // white space
      ++tried;
      write_file(path, text);
      EXPECT_THROW(RunFolder::resume(folder / "run"), Error) << "byte " << at << " bit " << bit << text;
    }
  }
  EXPECT_GT(tried, whole.size());
  std::string edited = whole;
  edited.replace(edited.find("\"steps\": 10"), 11, "\"steps\": 20");
  write_file(path, edited);
  expect_has(error_of([&] { RunFolder::read_record(folder / "run"); }), "is damaged or was edited");
  {
    RunFolder run = RunFolder::resume(folder / "run", Damage::trusted);
    EXPECT_EQ(run.record()["settings"]["steps"], 20);
    run.set_status(RunStatus::running);
  }
  EXPECT_EQ(RunFolder::read_record(folder / "run")["settings"]["steps"], 20) << "from then on it is whole";
  Json without = Json::parse(whole);
  without.erase("checksum");
  write_file(path, without.dump());
  expect_has(error_of([&] { RunFolder::read_record(folder / "run"); }), "its checksum is missing");
  without["format"] = 1;  // as runs were before there was one
  write_file(path, without.dump());
  RunFolder old = RunFolder::resume(folder / "run");
  EXPECT_FALSE(old.has_checksums());
  old.set_status(RunStatus::interrupted);
  EXPECT_FALSE(RunFolder::read_record(folder / "run").contains("checksum"));
}

TEST(RunFolder, SaysThatItWasRemoved) {
  const TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", kDescription);
  run.keep();
  fs::rename(folder / "run", folder / "elsewhere");
  expect_has(error_of([&] { run.set_status(RunStatus::done); }), "removed or replaced");
  EXPECT_FALSE(fs::exists(folder / "run"));
  RunFolder::create(folder / "run", kDescription).keep();
  expect_has(error_of([&] { run.set_status(RunStatus::done); }), "removed or replaced");
}

TEST(Machine, IsDescribed) {
  const Json machine = machine_record();
  EXPECT_GE(machine["cores"], 1);
  EXPECT_GT(machine["memory_bytes"], std::uint64_t{1} << 20);
  EXPECT_FALSE(machine["isa"].get<std::string>().empty());
}

}  // namespace
}  // namespace frugal
