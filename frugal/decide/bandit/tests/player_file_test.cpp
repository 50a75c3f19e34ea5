// The file of a player: play through it is play, and nothing that others wrote gets past it.
#include "frugal/decide/bandit/player_file.h"

#include <fstream>

#include "frugal/base/atomic_file.h"
#include "frugal/base/sha256.h"
#include "frugal/decide/bandit/play.h"
#include "frugal/decide/bandit/tests/helpers.h"

namespace frugal::bandit {
namespace {

BanditNewConfig settings(const std::string& policy, const std::string& path) {
  BanditNewConfig c{.policy = policy, .state = path};
  c.problem.items = 6;
  c.problem.choose = 2;
  return c;
}

void write(const std::string& path, const std::string& bytes) {  // a new file, without waiting for the disk
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string sealed(std::string bytes) {  // with the checksum of what is before it
  Sha256 sum;
  sum.update(bytes.data(), bytes.size());
  return bytes + sum.hex();
}

TEST(PlayerFile, PlayThroughFilesIsPlay) {
  for (const PolicyInfo& info : policies().all()) {
    const TemporaryFile file("player");
    SavedPlayer player = new_player(settings(std::string(info.name), file.path()));
    save_player(file.path(), player);
    const auto environment = make_environment({}, 6, 1, 1, nullptr);
    const auto memory = info.make(ActionSet::m_sets(6, 2), {});
    const auto expected = play(*memory, *environment, 8);
    for (std::size_t t = 0; t < expected.size(); ++t) {
      SavedPlayer now = load_player(file.path());
      EXPECT_EQ(play(*now.policy, *environment, 1, static_cast<std::int64_t>(t))[0], expected[t]) << info.name;
      save_player(file.path(), now);
    }
  }
}

TEST(PlayerFile, ActionsOfAFileAreKept) {
  const TemporaryFile file("player"), actions("actions");
  write_file(actions.path(), "0,1\n2\n1,3\n");
  BanditNewConfig c{.policy = "ols-ucb-c", .state = file.path()};
  c.problem.actions = actions.path();
  SavedPlayer player = new_player(c);
  save_player(file.path(), player);
  std::filesystem::remove(actions.path());
  const SavedPlayer now = load_player(file.path());
  EXPECT_EQ(now.policy->actions().items(), 4);
  EXPECT_EQ(now.policy->actions().count(), 3);
}

TEST(PlayerFile, RefusesWhatIsDamaged) {
  const TemporaryFile file("player");
  SavedPlayer player = new_player(settings("ols-ucb-c", file.path()));
  play(*player.policy, *make_environment({}, 6, 1, 1, nullptr), 20);
  save_player(file.path(), player);
  const std::string whole = read_file(file.path());
  const auto code = [&](const std::string& bytes) {
    write(file.path(), bytes);
    return error_of([&] { load_player(file.path()); }).first;
  };
  EXPECT_EQ(code(whole), Exit::ok);
  for (std::size_t size = 0; size < whole.size(); size += 7)
    EXPECT_EQ(code(whole.substr(0, size)), Exit::input) << size;
  for (std::size_t at = 0; at < whole.size(); at += 11) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    EXPECT_EQ(code(flipped), Exit::input) << at;
  }
  EXPECT_EQ(error_of([&] { load_player(file.path() + "-none"); }).first, Exit::input);
}

// With a checksum that fits: each byte of the JSON and each number of the statistics changed by somebody who can count.
TEST(PlayerFile, RefusesWhatNoPlayLeadsTo) {
  const TemporaryFile file("player");
  for (const char* name : {"ols-ucb-c", "cts-beta", "action-ucb", "cucb"}) {
    SavedPlayer player = new_player(settings(name, file.path()));
    play(*player.policy, *make_environment({}, 6, 1, 1, nullptr), 20);
    save_player(file.path(), player);
    const std::string saved = read_file(file.path());
    const std::string whole = saved.substr(0, saved.size() - 64);
    int refused = 0;
    for (std::size_t at = 8; at < whole.size(); ++at) {
      for (const char value : {'\x7f', '\xff', '[', '9'}) {
        std::string changed = whole;
        changed[at] = value;
        write(file.path(), sealed(changed));
        const auto [code, what] = error_of([&] {  // what is let through can be played
          SavedPlayer now = load_player(file.path());
          play(*now.policy, *make_environment({}, now.policy->actions().items(), 1, 1, nullptr), 3);
        });
        EXPECT_TRUE(code == Exit::input || code == Exit::ok) << at << " " << what;
        EXPECT_TRUE(code == Exit::ok || what.starts_with(file.path())) << what;
        refused += code == Exit::input;
      }
    }
    EXPECT_GT(refused, 100) << name;
  }
}

TEST(PlayerFile, ALargePlayerNeedsALargeFile) {
  const TemporaryFile file("player");
  SavedPlayer player = new_player(settings("ols-ucb-c", file.path()));
  player.settings["items"] = 9'000;
  player.settings["choose"] = 1;
  save_player(file.path(), player);
  const auto [code, what] = error_of([&] { load_player(file.path()); });
  EXPECT_EQ(code, Exit::input);
  EXPECT_NE(what.find("expected 1296288000 or more"), std::string::npos) << what;
}

TEST(Play, TellsWhatWasSuggestedAndNothingElse) {
  const TemporaryFile file("player");
  const auto run = [](auto act) {
    testing::internal::CaptureStdout();
    act();
    return testing::internal::GetCapturedStdout();
  };
  run([&] { begin_player(settings("ols-ucb-c", file.path())); });
  EXPECT_NE(error_of([&] { begin_player(settings("cucb", file.path())); }).second.find("there already"),
            std::string::npos);
  EXPECT_EQ(error_of([&] {
              tell({.state = file.path(), .rewards = {"0.5", "0.5"}});
            }).second,
            file.path() + " waits for no rewards: nothing was suggested");
  EXPECT_EQ(run([&] { suggest({.state = file.path()}); }), "0,1\n");
  EXPECT_EQ(run([&] { suggest({.state = file.path()}); }), "0,1\n");
  const std::string before = read_file(file.path());
  const auto says = [&](std::vector<std::string> rewards, std::vector<std::string> items = {}) {
    const auto [code, what] = error_of([&] { tell({.state = file.path(), .rewards = rewards, .items = items}); });
    EXPECT_NE(code, Exit::ok);
    EXPECT_EQ(read_file(file.path()), before);
    return what;
  };
  EXPECT_NE(says({"0.5"}).find("1 rewards"), std::string::npos);
  EXPECT_EQ(says({"0.5", "1.5"}), "item 1: 1.5 exceeds range 1");
  EXPECT_NE(says({"0.5", "nan"}).find("item 1: the reward is nan"), std::string::npos);
  EXPECT_EQ(says({"0.5", "much"}), "--rewards has 'much', expected a number");
  EXPECT_NE(says({"0.5", "0.5"}, {"0", "2"}).find("for items 0,2, expected 0,1 in round 1"), std::string::npos);
  EXPECT_NE(says({"0.5", "0.5"}, {"4294967296", "1"}).find("expected 0,1"), std::string::npos);
  EXPECT_EQ(run([&] { tell({.state = file.path(), .rewards = {"0.5", " 0.25"}}); }), "round 1: told of items 0,1\n");
  // A script that repeats itself credits nothing to the items of the next round.
  const std::string told = read_file(file.path());
  EXPECT_EQ(error_of([&] {
              tell({.state = file.path(), .rewards = {"0.5", "0.25"}});
            }).second,
            file.path() + " waits for no rewards: those of round 1 have been told");
  EXPECT_EQ(read_file(file.path()), told);
  const Json now = Json::parse(run([&] { suggest({.state = file.path(), .json = true}); }));
  EXPECT_EQ(now.at("round"), 2);
  EXPECT_EQ(now.at("items"), (Json{2, 3}));  // three new pairs, where 0,2 has two
  EXPECT_EQ(now.at("table").size(), 6u);
  EXPECT_EQ(now.at("table")[1].at("mean"), 0.25);
  EXPECT_TRUE(now.at("table")[3].at("mean").is_null());
  run([&] { tell({.state = file.path(), .rewards = {"0.5", "0.5"}}); });  // what suggest --json named
  // Without a suggestion, but with a word on whose rewards they are.
  EXPECT_EQ(run([&] {
              tell({.state = file.path(), .rewards = {"1", "1"}, .items = {"4", " 5"}});
            }),
            "round 3: told of items 4,5\n");
}

TEST(Play, SaysWhatToDoAboutARewardOutOfRange) {
  const TemporaryFile file("player");
  SavedPlayer player = new_player(settings("cucb", file.path()));
  const auto items = player.policy->select();
  try {
    player.policy->update(Items(items.begin(), items.end()), std::vector<double>{0.5, 3});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(error.fix().find("frugal bandit new --range"), std::string::npos) << error.fix();
  }
}

TEST(Play, CountsActionsInWholeNumbers) {
  const TemporaryFile file("player");
  BanditNewConfig config = settings("cucb", file.path());
  config.json = true;
  testing::internal::CaptureStdout();
  begin_player(config);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("\"actions\":15}"), std::string::npos);
}

// A file of a version that kept no suggestion.
TEST(PlayerFile, FilesOfBeforeAreRead) {
  const TemporaryFile file("player");
  SavedPlayer player = new_player(settings("ols-ucb-c", file.path()));
  play(*player.policy, *make_environment({}, 6, 1, 1, nullptr), 5);
  const auto next = player.policy->select();
  player.pending.assign(next.begin(), next.end());
  save_player(file.path(), player);
  EXPECT_EQ(load_player(file.path()).pending, player.pending);
  std::string bytes = read_file(file.path());
  bytes.resize(bytes.size() - 64);
  const std::string key = ",\"pending\":[";
  const std::size_t at = bytes.find(key), end = bytes.find(']', at) + 1;
  ASSERT_NE(at, bytes.npos);
  bytes.erase(at, end - at);
  const std::size_t size =
      static_cast<unsigned char>(bytes[12]) + 256 * static_cast<unsigned char>(bytes[13]) - (end - at);
  bytes[12] = static_cast<char>(size % 256), bytes[13] = static_cast<char>(size / 256);
  write(file.path(), sealed(bytes));
  const SavedPlayer before = load_player(file.path());
  EXPECT_TRUE(before.pending.empty());
  EXPECT_EQ(before.policy->round(), 6);
}

}  // namespace
}  // namespace frugal::bandit
