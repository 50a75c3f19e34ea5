// A page is well formed, says what the records say, and holds up against records that are empty, torn or hostile.
#include "frugal/cli/report/report.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/base/json_text.h"
#include "frugal/cli/report/outcome.h"
#include "frugal/cli/report/run_record.h"
#include "frugal/cli/report/tests/html.h"
#include "frugal/train/run/events.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

Json good_record() {
  return {{"format", 1},
          {"created", "2026-01-02T03:04:05Z"},
          {"settings",
           {{"model", "/models/base.gguf"},
            {"method", "sparse-mezo"},
            {"labels", {"ham=No", "spam=Yes"}},
            {"steps", 40},
            {"batch", 8},
            {"balance", true},
            {"memory", 1073741824},
            {"lr", "auto"},
            {"sparsity", 0.75}}},
          {"base", {{"path", "/models/base.gguf"}, {"format", "gguf"}, {"sha256", "b453"}}},
          {"data", {{"path", "/data/train.jsonl"}, {"sha256", "da7a"}, {"examples", 1234}, {"truncated", 5}}},
          {"machine", {{"cpu", "A Processor"}, {"cores", 2}, {"memory_bytes", 8589934592}, {"isa", "avx2"}}},
          {"versions", {{"frugal", "0.1.0"}, {"libtorch", "2.13"}}},
          {"lr_race",
           {{"lr", 3e-5},
            {"start_loss", 0.9},
            {"race",
             {{{"lr", 1e-5}, {"loss", 0.8}}, {{"lr", 3e-5}, {"loss", 0.7}}, {{"lr", 1e-4}, {"loss", "diverged"}}}}}},
          {"plan", {{"parts", {{"weights", 300000000}, {"activations", 40000000}}}, {"peak", 340000000}}},
          {"status", "done"},
          {"results",
           {{"steps", 40},
            {"lr", 3e-5},
            {"seconds", 61.5},
            {"best", {{"step", 20}, {"metric", 0.875}, {"loss", 0.31}}},
            {"test", {{"accuracy", 0.9125}, {"loss", 0.25}, {"confusion", {{90, 10}, {3, 47}}}}},
            {"peak_rss_bytes", 380000000},
            {"floor_rss_bytes", 120000000}}},
          {"weights_sha256", "5ea1"}};
}

Json step_event(int step) {
  return {{"event", "step"},
          {"step", step},
          {"loss", 1.0 / step},
          {"lr", 3e-5},
          {"projected_gradients", {step % 7 - 3.0}},
          {"seconds", 0.5 * step}};
}

Json eval_event(int step) {
  return {{"event", "eval"},
          {"step", step},
          {"data", "dev"},
          {"accuracy", 0.5 + step / 100.0},
          {"balanced_accuracy", 0.875 - (step - 20) * (step - 20) / 10000.0},
          {"loss", 0.6},
          {"seconds", 0.5 * step}};
}

std::vector<Json> good_events() {
  std::vector<Json> events = {eval_event(0)};
  for (int step = 1; step <= 40; ++step) {
    events.push_back(step_event(step));
    if (step % 10 == 0) events.push_back(eval_event(step));
  }
  return events;
}

std::string lines_of(const std::vector<Json>& events) {
  std::string text;
  for (const Json& event : events) text += event.dump() + "\n";
  return text;
}

class Report : public testing::Test {
 protected:
  fs::path run(const std::string& name, const Json& record, const std::string& events) {
    const fs::path path = folder_ / name;
    fs::create_directories(path);
    write_file(path / "run.json", record.dump());
    write_file(path / "events.jsonl", events);
    return path;
  }
  fs::path good(const std::string& name = "good") { return run(name, good_record(), lines_of(good_events())); }
  TemporaryFolder folder_;
};

void expect_safe(const std::string& page) {
  EXPECT_EQ(malformed(page), "");
  EXPECT_FALSE(has(page, "<script"));
  EXPECT_FALSE(has(page, "<img"));
  EXPECT_FALSE(has(page, "src="));
  EXPECT_FALSE(has(page, "href="));
  EXPECT_FALSE(has(page, "url("));
  EXPECT_FALSE(has(page, "nan%")) << page.substr(page.find("nan%") - 200, 300);
  EXPECT_FALSE(has(page, "inf%"));
}

TEST(WellFormed, FindsWhatIsBroken) {
  EXPECT_EQ(malformed("<!doctype html><a b=\"&gt;>\"><c/></a>"), "");
  EXPECT_NE(malformed("<a><b></a></b>"), "");
  EXPECT_NE(malformed("<a>"), "");
  EXPECT_NE(malformed("<a b=\"></a>"), "");
}

TEST_F(Report, SaysWhatTheRecordsSay) {
  const std::string page = report_html({good()});
  expect_safe(page);
  for (const std::string_view part : {"<h1>good",
                                      "pill done",
                                      "Training loss",
                                      "Metrics on dev",
                                      "Loss on dev",
                                      "Learning rate",
                                      "Projected gradient",
                                      "Seconds per step",
                                      "Learning-rate race",
                                      "Diverged: 1e-4",
                                      "chosen: 3e-5",
                                      "best: step 20, 0.8750",
                                      "0.9125",
                                      "Confusion",
                                      "activations: 38.1 MiB",
                                      "362 MiB",
                                      "--memory 1.00 GiB",
                                      "5ea1",
                                      "da7a",
                                      "b453",
                                      "1,234",
                                      "A Processor",
                                      "2.13",
                                      "auto, chose 3e-5",
                                      "left at their defaults",
                                      "frugal merge /models/base.gguf",
                                      "prefers-color-scheme:dark"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
  EXPECT_FALSE(has(page, "Gradient norm"));  // nothing is drawn of what was not recorded
  EXPECT_LT(page.find("<code>balance</code>"), page.find("left at their defaults"));
  EXPECT_GT(page.find("<code>sparsity</code>"), page.find("left at their defaults"));
}

TEST_F(Report, FirstOrderRuns) {
  std::vector<Json> events;
  for (int step = 1; step <= 30; ++step) {
    events.push_back({{"event", "step"},
                      {"step", step},
                      {"loss", 3.0},
                      {"gradient_norm", 1.5},
                      {"tokens", 512},
                      {"active_block", "layer " + std::to_string(step / 10)},
                      {"seconds", step * 2.0},
                      {"rank", 8}});
  }
  events.push_back({{"event", "eval"}, {"step", 10}, {"data", "dev"}, {"perplexity", 22.0}, {"loss", 3.1}});
  events.push_back({{"event", "eval"}, {"step", 30}, {"data", "dev"}, {"perplexity", 20.5}, {"loss", 3.0}});
  const std::string page = report_html({run("first", {{"format", 1}, {"status", "running"}}, lines_of(events))});
  expect_safe(page);
  for (const std::string_view part :
       {"Gradient norm", "Throughput", "tokens/s", "Active block", "layer 2", "Perplexity on dev",
        "best: step 30, 20.5000", "<b>Rank</b>", "256", "frugal tune --resume"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
  EXPECT_FALSE(has(page, "Projected gradient"));
}

TEST_F(Report, ComparesRunsInTheSamePlots) {
  Json other = good_record();
  other["settings"]["sparsity"] = 0.5;
  const fs::path first = good("one"), second = run("two", other, lines_of(good_events()));
  fs::create_directories(folder_ / "deep");
  const fs::path same_name = run("deep/one", good_record(), lines_of(good_events()));
  const std::string page = report_html({first, second, same_name});
  expect_safe(page);
  for (const std::string_view part :
       {"3 runs compared", "Results", "Settings that differ", "<code>sparsity</code>", "over time"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
  const std::string differing =
      page.substr(page.find("Settings that differ"), page.find("<h2>Each run") - page.find("Settings that differ"));
  EXPECT_FALSE(has(differing, "<code>balance</code>"));
  EXPECT_TRUE(has(page, same_name.string()));  // two folders named "one" are told apart
}

TEST_F(Report, RunWithoutStepsSaysSo) {
  const fs::path path = folder_ / "empty";
  fs::create_directories(path);
  write_file(path / "run.json", "{\"format\":1}");
  const std::string page = report_html({path});
  expect_safe(page);
  EXPECT_TRUE(has(page, "no step is recorded"));
  expect_safe(report_html({path, good()}));
}

TEST_F(Report, TornAndForeignLinesAreLeftOut) {
  const std::string events = lines_of({step_event(1), step_event(2)}) + "{\"event\":\"step\",\"step\":3,\"lo\n" +
                             std::string("\x00\xff\n", 3) + "[1]\n" + "{\"event\":\"step\",\"step\":\"four\"}\n" +
                             "{\"event\":\"later\"}\n" +
                             "{\"event\":\"step\",\"step\":5,\"loss\":\"NaN\",\"lr\":null,\"seconds\":1e999}\n" +
                             "{\"event\":\"step\",\"step\":6,\"loss\":\"NaN\",\"lr\":null,\"seconds\":1e200}\n" +
                             lines_of({step_event(7)}) + "{\"event\":\"step\",\"st";
  const report::RunRecord read = report::read_run(run("torn", good_record(), events));
  EXPECT_EQ(read.curve("loss").x, (std::vector<double>{1, 2, 7}));
  EXPECT_EQ(read.curve("seconds").x, (std::vector<double>{1, 2, 7}));
  EXPECT_EQ(read.last_step, 7);
  EXPECT_EQ(read.unread_lines, 6u);
  expect_safe(report_html({read.path}));
}

// Of a record with checksums a changed line is left out, and no other.
TEST_F(Report, DamagedLinesAreLeftOut) {
  const fs::path path = run("damaged", good_record(), "");
  Json record = json_of(read_file(path / "run.json"));
  record["checksum"] = "of another";
  write_file(path / "run.json", record.dump());
  {
    EventLog log(path / "events.jsonl");
    for (int step = 1; step <= 5; ++step) log.append(step_event(step));
  }
  std::string text = read_file(path / "events.jsonl");
  char& digit = text[text.find("\"loss\":", text.find("\"step\":3")) + 7];
  digit = digit == '1' ? '2' : '1';
  write_file(path / "events.jsonl", text);
  const report::RunRecord read = report::read_run(path);
  EXPECT_EQ(read.curve("loss").x, (std::vector<double>{1, 2, 4, 5}));
  EXPECT_EQ(read.unread_lines, 1u);
  expect_safe(report_html({path}));
}

// A power cut may lose steps that were logged; what is written after the resume counts.
TEST_F(Report, StepsTakenAgainReplaceTheirForerunners) {
  std::vector<Json> events;
  for (int step = 1; step <= 6; ++step) events.push_back(step_event(step));
  events.push_back(eval_event(6));
  for (int step = 4; step <= 6; ++step) events.push_back({{"event", "step"}, {"step", step}, {"loss", 9.0}});
  events.push_back(eval_event(6));
  const report::RunRecord read = report::read_run(run("again", good_record(), lines_of(events)));
  EXPECT_EQ(read.curve("loss").x, (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(read.curve("loss").y[3], 9.0);
  EXPECT_EQ(read.curve("lr").x, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(read.evaluations.size(), 1u);
}

TEST_F(Report, SkippedStepsAreMarked) {
  Json skipped = {{"event", "step"}, {"step", 3}, {"loss", nullptr}, {"skipped", true}};
  const std::string page =
      report_html({run("skipped", good_record(), lines_of({step_event(1), step_event(2), skipped, step_event(4)}))});
  expect_safe(page);
  EXPECT_TRUE(has(page, "step 3: skipped"));
}

// Every string and key of a record is an attack, every value in turn of every other type.
TEST_F(Report, HostileTextIsEscaped) {
  const std::string attack = "</style></title><script>alert(1)</script><img src=x onerror=\"alert('1')\">&\"'\x01";
  const std::function<void(Json&)> poison = [&](Json& value) {
    if (value.is_string() && value != "step" && value != "eval" && value != "dev")
      value = attack + value.get<std::string>();
    if (value.is_structured()) {
      for (auto& each : value) poison(each);
    }
    if (value.is_object()) value[attack] = value.size() % 2 == 0 ? Json(attack) : Json(0.5);
  };
  Json record = good_record();
  poison(record);
  std::vector<Json> events = good_events();
  for (Json& event : events) poison(event), event["active_block"] = attack;
  for (const auto& runs : {std::vector{run("a<b>&\"'", record, lines_of(events))},
                           std::vector{run("\xff\xfe<i>", record, lines_of(events)), good()}}) {
    const std::string page = report_html(runs);
    EXPECT_EQ(malformed(page), "");
    EXPECT_FALSE(has(page, "<script"));
    EXPECT_FALSE(has(page, "<img"));
    EXPECT_FALSE(has(page, "\x01"));
    EXPECT_FALSE(has(page, "\xff"));
    EXPECT_TRUE(has(page, "&lt;script&gt;"));
  }
}

TEST_F(Report, ValuesOfEveryOtherType) {
  Json deep = Json::array();
  for (int i = 0; i < 40; ++i) deep = Json::array({std::move(deep)});
  const Json others[] = {
      nullptr, true, -1, 1e308, "text", Json::array(), Json::object(), deep, Json::array({1, "x", nullptr})};
  const std::function<void(Json&, Json&, const std::function<void()>&)> each_value =
      [&](Json& at, Json& root, const std::function<void()>& call) {
        for (auto& child : at) {
          const Json keep = child;
          for (const Json& other : others) {
            child = other;
            call();
          }
          child = keep;
          if (child.is_object()) each_value(child, root, call);
        }
      };
  Json record = good_record();
  const std::string events = lines_of(good_events());
  each_value(record, record, [&] {
    const fs::path path = run("odd", record, events);
    try {
      const std::string page = report_html({path});
      ASSERT_EQ(malformed(page), "") << record.dump();
    } catch (const Error& error) {
      EXPECT_NE(record["format"], 1) << error.what();
    }
  });
  Json step = step_event(2), eval = eval_event(2);
  const auto with_events = [&] {
    ASSERT_EQ(malformed(report_html({run("odd", record, lines_of({step_event(1), step, eval, step_event(3)}))})), "");
  };
  each_value(step, step, with_events);
  each_value(eval, eval, with_events);
}

TEST_F(Report, DeepNestingDoesNotExhaustTheStack) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  const fs::path path = good();
  write_file(path / "events.jsonl",
             "{\"event\":\"step\",\"step\":1,\"loss\":1}\n{\"event\":\"step\",\"step\":2,\"x\":" + deep +
                 "}\n{\"event\":\"step\",\"step\":3,\"loss\":1,\"x\":\"" + deep + "\\\"[\"}\n");
  const report::RunRecord read = report::read_run(path);
  EXPECT_EQ(read.curve("loss").x, (std::vector<double>{1, 3}));
  EXPECT_EQ(read.unread_lines, 1u);
  write_file(path / "run.json", "{\"format\":1,\"settings\":{\"x\":" + deep + ",\"y\":1}}");
  try {
    report_html({path});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
  }
}

TEST_F(Report, ManyStepsMakeASmallPage) {
  std::string events;
  constexpr int kSteps = 150'000;
  for (int step = 1; step <= kSteps; ++step) {
    const std::string at = std::to_string(step);
    events += "{\"event\":\"step\",\"step\":" + at +
              ",\"loss\":" + (step == 77'777 ? "123.5" : "0." + std::to_string(100 + step % 37)) +
              ",\"lr\":1e-4,\"projected_gradients\":[1.5],\"seconds\":" + at + "}\n";
  }
  const std::string page = report_html({run("long", good_record(), events)});
  EXPECT_EQ(malformed(page), "");
  EXPECT_LT(page.size(), 600'000u);
  EXPECT_TRUE(has(page, "A few single values lie beyond the axis."));
}

TEST_F(Report, BestIsWhatResultsNameElseTheBestSoFar) {
  Json record = good_record();
  const auto best_step = [&] {
    const report::RunRecord read = report::read_run(run("best", record, lines_of(good_events())));
    return report::best_of(read, report::judge_of(read))->step;
  };
  record["results"]["best"]["step"] = 30;
  EXPECT_EQ(best_step(), 30);
  record.erase("results");
  EXPECT_EQ(best_step(), 20);  // balanced accuracy
  record["settings"]["balance"] = false;
  EXPECT_EQ(best_step(), 40);  // accuracy
}

}  // namespace
}  // namespace frugal
