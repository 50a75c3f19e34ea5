#include "frugal/signals/swarm/tracks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "frugal/base/error.h"
#include "frugal/signals/swarm/drawing.h"
#include "frugal/signals/swarm/simulate.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal::swarm {
namespace {

constexpr const char* kHeader = "run,step,agent,px,py,vx,vy\n";

std::string refusal(const std::string& text) {
  try {
    parse_tracks(text, "t.csv");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
    EXPECT_FALSE(error.fix().empty());
    return error.what();
  }
  return "accepted";
}

TEST(SwarmTracks, WhatSimulateWritesIsWhatWasSimulated) {
  const TemporaryFolder folder;
  SimulateConfig config;
  config.runs = 3, config.seed = 7, config.out = (folder / "tracks.csv").string();
  config.threads = 1;
  const Json summary = simulate_tracks(config);
  const std::string text = read_file(config.out);
  const Tracks tracks = read_tracks(config.out);
  EXPECT_EQ(agents_of(config.out), 10);
  EXPECT_EQ(tracks.agents, 10);
  EXPECT_TRUE(tracks.has_tactics);
  ASSERT_EQ(tracks.runs.size(), 12u);
  EXPECT_EQ(summary["rows"].get<std::int64_t>() * 4, static_cast<std::int64_t>(tracks.values.size()));
  for (int k = 0; k < 12; ++k) {
    const auto& run = tracks.runs[static_cast<std::size_t>(k)];
    const Track track = simulate({}, static_cast<Tactic>(k / 3), static_cast<std::uint32_t>(7 + k % 3));
    EXPECT_EQ(run.name, k + 1);
    EXPECT_EQ(run.tactic, k / 3);
    ASSERT_EQ(run.steps, track.steps);
    for (std::size_t at = 0; at < track.data.size(); ++at)
      ASSERT_EQ(tracks.values[run.first + at], static_cast<float>(track.data[at]));
  }
  config.threads = 3;
  simulate_tracks(config);
  EXPECT_EQ(read_file(config.out), text);
}

// Half the size that 17 digits take, and no bit of what is trained on is lost.
TEST(SwarmTracks, NumbersAreTheShortestThatReadBack) {
  const TemporaryFolder folder;
  TracksWriter writer(folder / "t.csv");
  Track track{.steps = 500, .agents = 10};
  for (int k = 0; k < 500 * 40; ++k) {  // of every size, signs and halves of the last bit among them
    const double value = std::ldexp(1 + k / 20000.0 + k * 1e-9, k % 60 - 40);
    track.data.push_back(k % 3 == 0 ? -value : k % 7 == 0 ? std::nextafter(value, 0) : value);
  }
  writer.write(1, Tactic::greedy, track);
  writer.commit();
  const Tracks tracks = read_tracks(folder / "t.csv");
  ASSERT_EQ(tracks.values.size(), track.data.size());
  for (std::size_t at = 0; at < track.data.size(); ++at)
    ASSERT_EQ(tracks.values[at], static_cast<float>(track.data[at])) << at;
  SimulateConfig config;
  config.runs = 2, config.out = (folder / "s.csv").string();
  const Json summary = simulate_tracks(config);
  EXPECT_LT(summary["bytes"].get<double>() / summary["rows"].get<double>(), 62);  // 107 before: four numbers a row
}

// A start is that of its seed, whatever the tactic, and survives the file.
TEST(SwarmTracks, KnowsTheSeedsOfARun) {
  const TemporaryFolder folder;
  SimulateConfig config;
  config.runs = 5, config.seed = 98, config.out = (folder / "tracks.csv").string();  // 98 to 102
  config.engagement.agents = 4, config.engagement.decoys = 3;
  simulate_tracks(config);
  const Tracks tracks = read_tracks(config.out);
  EngagementConfig trained = config.engagement.engagement();
  trained.decoys = 4;
  EXPECT_EQ(count_known(tracks, trained, 100), 3 * 4);
  EXPECT_EQ(count_known(tracks, trained, 97), 0);
  EXPECT_EQ(count_known(tracks, trained, 1000), 20);
  trained.attackers = 5;
  EXPECT_EQ(count_known(tracks, trained, 1000), 0);
  const Tracks own = parse_tracks(std::string(kHeader) + "1,0,1,1,2,3,4\n", "t.csv");
  EXPECT_EQ(count_known(own, {.attackers = 1}, 1000), 0);
}

// Two series, so that a legend names sides and not twenty bodies; gaps part the paths.
TEST(SwarmDrawing, HasASeriesForEachSide) {
  const Figure figure = engagement_figure({}, Tactic::auction_plus, 1, 20);
  ASSERT_EQ(figure.series.size(), 2u);
  EXPECT_EQ(figure.series[0].name, "attackers");
  EXPECT_EQ(figure.series[1].name, "decoys");
  for (const Series& series : figure.series) {
    EXPECT_EQ(std::count_if(series.x.begin(), series.x.end(), [](double x) { return std::isnan(x); }), 9);
    EXPECT_EQ(series.x.size(), series.y.size());
  }
  EXPECT_EQ(figure.series[0].x[0], Engagement({}, Tactic::auction_plus, 1).attackers().px[0]);
}

TEST(SwarmTracks, CutsRunsToAWindow) {
  const Tracks tracks = parse_tracks(std::string(kHeader) +
                                         "5,0,1,1,2,3,4\n5,1,1,5,6,7,8\n5,2,1,0,0,0,0\n"
                                         "9,3,1,9,10,11,12\r\n9,4,1,13,14,15,16\n",
                                     "t.csv");
  const Corpus corpus = corpus_of(tracks, 2, 10);
  EXPECT_EQ(corpus.steps, 2);
  EXPECT_EQ(corpus.values, (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}));
  EXPECT_EQ(corpus.names, (std::vector<std::int64_t>{5, 9}));
  EXPECT_THROW(corpus_of(tracks, 3, 10), Error);
}

TEST(SwarmTracks, HostileInputIsRefusedWithItsLine) {
  const std::string good = std::string(kHeader) + "1,0,1,0,0,0,0\n1,0,2,0,0,0,0\n";
  EXPECT_EQ(refusal(good), "accepted");
  for (const auto& [text, fact] : std::vector<std::pair<std::string, std::string>>{
           {"", "no line with the columns"},
           {kHeader, "no line of a track"},
           {"run,step\n", "'agent' is missing"},
           {"run,run,step,agent,px,py,vx,vy\n", "twice"},
           {"run,step,agent,px,py,vx,vy,z\n", "'z' is not known"},
           {good + "1,1,1,nan,0,0,0\n", "line 4: px is 'nan', expected a finite number"},
           {good + "1,1,1,0,inf,0,0\n", "py is 'inf'"},
           {good + "1,1,1,0,1e300,0,0\n", "py is '1e300'"},
           {good + "1,1,1,0,,0,0\n", "py is ''"},
           {good + "1,1.5,1,0,0,0,0\n", "step is '1.5', expected a whole number"},
           {good + "1,1,1,0,0,0\n", "has 6 fields, expected 7"},
           {good + "1,1,1,0,0,0,0,0,0,0,0,0,0\n", "fields"},
           {good + "1,2,1,0,0,0,0\n", "step 2 follows step 0"},
           {good + "1,1,2,0,0,0,0\n", "agent is 2, expected 1"},
           {good + "1,1,1,0,0,0,0\n", "has 1 agents, the first one 2"},
           {good + "2,0,1,0,0,0,0\n2,0,2,0,0,0,0\n1,1,1,0,0,0,0\n", "run 1 is there twice"},
           {"run,tactic,step,agent,px,py,vx,vy\n1,swarm,0,1,0,0,0,0\n", "tactic is 'swarm'"},
           {"run,tactic,step,agent,px,py,vx,vy\n1,greedy,0,1,0,0,0,0\n1,auction,1,1,0,0,0,0\n", "two tactics"},
           {std::string("run\0", 4), "NUL"},
       }) {
    EXPECT_NE(refusal(text).find(fact), std::string::npos) << refusal(text) << " for " << text;
  }
}

}  // namespace
}  // namespace frugal::swarm
