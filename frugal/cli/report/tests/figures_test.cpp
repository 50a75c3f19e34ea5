// Figures of a run that this program knows nothing of: each kind is drawn, where its numbers say, and hostile events
// are left out and counted.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/cli/report/axis.h"
#include "frugal/cli/report/figure_parts.h"
#include "frugal/cli/report/picture.h"
#include "frugal/cli/report/report.h"
#include "frugal/cli/report/series_points.h"
#include "frugal/cli/report/tests/html.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// One pixel each.
constexpr const char* kPng =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const std::string kJpegStart("\xFF\xD8\xFF\xE0\x00\x04\x00\x00\xFF\xC0\x00\x0B\x08\x00\x02\x00\x03\x01\x01\x11\x00",
                             21);

Figure regret() {
  return {.name = "regret",
          .title = "Regret <of> policies",
          .x_name = "round",
          .y_name = "regret",
          .series = {{.name = "ucb", .x = {0, 50, 100}, .y = {1, 4, 9}, .low = {1, 3, 8}, .high = {1, 5, 10}},
                     {.name = "random", .x = {0, 50, 100}, .y = {1, 10, 20}}},
          .note = "Mean of ten seeds & their spread."};
}

std::string lines_of(Figures& figures, std::int64_t step = 1) {
  std::string text;
  for (Json& event : figures.take()) {
    event["step"] = step;
    text += event.dump() + "\n";
  }
  return text;
}

class FigurePage : public testing::Test {
 protected:
  fs::path run(const std::string& name, const std::string& events, const std::string& action = "explore caves") {
    const fs::path path = folder_ / name;
    fs::create_directories(path);
    const Json record = {{"format", 1},
                         {"action", action},
                         {"settings", {{"depth", 3}, {"out", "x"}}},
                         {"status", "done"},
                         {"results", {{"steps", 5}, {"gold", 12.5}, {"seconds", 3.0}, {"state_sha256", "57a7e"}}}};
    write_file(path / "run.json", record.dump());
    write_file(path / "events.jsonl", events);
    return path;
  }
  TemporaryFolder folder_;
};

std::size_t count_of(const std::string& page, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = page.find(part); at != page.npos; at = page.find(part, at + 1)) ++found;
  return found;
}

TEST_F(FigurePage, DrawsEveryKindOfAnUnknownAction) {
  Figures figures;
  figures.add(regret());
  figures.add(Figure{.name = "points",
                     .title = "Points",
                     .x_name = "a",
                     .y_name = "b",
                     .series = {{.name = "", .x = {3, 1, 2}, .y = {1, 2, 3}, .low = {0, 1, 2}, .high = {2, 3, 4}}},
                     .kind = Figure::Kind::scatter});
  figures.add(HeatMap{
      .name = "map", .title = "Map", .rows = {"r<1>", "r2"}, .columns = {"c1", "c2"}, .values = {0, 1, 2, NAN}});
  figures.add(FigureTable{.name = "scores",
                          .title = "Scores",
                          .columns = {"policy", "final_regret"},
                          .rows = {{"ucb", 9.25}, {"random", 20}}});
  figures.add(Image{.name = "drawing", .title = "Drawing", .bytes = kJpegStart + std::string(8, 'x')});
  std::string events = lines_of(figures);
  events.replace(events.find("image/png"), 9, "image/jpeg");
  const std::string page = report_html({run("caves", events)});
  EXPECT_EQ(malformed(page), "");
  for (const std::string_view part : {"<p>explore caves</p>",
                                      "Regret &lt;of&gt; policies",
                                      "<small>regret</small>",
                                      ">ucb</span>",
                                      "class=\"band\"",
                                      "round 50\nucb: 4 (3 to 5)\nrandom: 10",
                                      "seeds &amp; their spread",
                                      "class=\"dots\"",
                                      "class=\"error\"",
                                      "a 3\nb 1 (0 to 2)",
                                      "<th>r&lt;1&gt;</th>",
                                      "--share:50%",
                                      "<td class=\"none\">",
                                      "<th class=\"number\">final regret</th>",
                                      "<td class=\"number\">9.2500</td>",
                                      "<td>ucb</td>",
                                      "width=\"3\" height=\"2\" src=\"data:image/jpeg;base64,/9j/",
                                      "<code>depth</code>",
                                      "<span>Gold</span><b>12.5000</b>",
                                      "57a7e",
                                      "img-src data:"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
  for (const std::string_view part :
       {"could not be read", "Training loss", "nats", "frugal tune", "frugal merge", "Projected", "Learning rate"})
    EXPECT_FALSE(has(page, part)) << part;
}

TEST_F(FigurePage, TheNewestOfANameCountsWhereTheFirstStood) {
  Figures figures;
  figures.add(regret());
  figures.add(FigureTable{.name = "t", .title = "Between", .columns = {"a"}, .rows = {{1}}});
  Figure later = regret();
  later.title = "Newer";
  figures.add(later);
  const std::string page = report_html({run("newer", lines_of(figures))});
  EXPECT_FALSE(has(page, "Regret"));
  EXPECT_LT(page.find("<b>Newer</b>"), page.find("<b>Between</b>"));
}

TEST_F(FigurePage, RunsOfOneFigureShareIt) {
  Figures figures;
  figures.add(regret());
  figures.add(FigureTable{.name = "t", .title = "Table", .columns = {"a"}, .rows = {{1}}});
  const std::string events = lines_of(figures);
  const std::string page = report_html({run("one", events), run("two", events, "explore lakes"), run("none", "")});
  EXPECT_EQ(malformed(page), "");
  EXPECT_EQ(count_of(page, "<b>Regret"), 1u);
  EXPECT_EQ(count_of(page, "<b>Table</b>"), 2u);
  for (const std::string_view part : {"one, ucb", "two, random", "<th>gold</th>", "explore lakes"})
    EXPECT_TRUE(has(page, part)) << part;
}

// Tracks of one engagement say nothing laid over those of another.
TEST_F(FigurePage, DrawingsToScaleAreEachRunsOwn) {
  const auto events = [](double at) {
    Figures figures;
    figures.add(Figure{.name = "tracks",
                       .title = "Tracks",
                       .x_name = "m",
                       .y_name = "m",
                       .series = {{.name = "a", .x = {0, at}, .y = {0, 1}}},
                       .note = "A path ends where it is hit",
                       .is_equal_scale = true});
    return lines_of(figures);
  };
  const std::string page = report_html({run("one", events(1)), run("two", events(2))});
  EXPECT_EQ(malformed(page), "");
  EXPECT_EQ(count_of(page, "<b>Tracks</b>"), 2u);
  EXPECT_FALSE(has(page, "one, a"));
}

// Bands go along their upper edge and back along the lower one, at the places of their values.
TEST(FigurePlot, BandsLieWhereTheirEndsSay) {
  Figure figure = regret();
  figure.series.resize(1);
  const std::string svg = report::drawn(figure);
  const report::Axis y = report::value_axis(1, 10, true);
  const auto at = [&](double x, double value) {
    char text[60];
    std::snprintf(text, sizeof text, "%.5g %.5g", 10 * x, 1000 * (1 - y.at(value)));
    return std::string(text);
  };
  EXPECT_TRUE(has(svg, "d=\"M" + at(0, 1) + "L" + at(50, 5) + "L" + at(100, 10) + "L" + at(100, 8) + "L" + at(50, 3) +
                           "L" + at(0, 1) + "Z\""))
      << svg;
}

double number_after(const std::string& text, std::string_view before) {
  const std::size_t at = text.find(before);
  return at == text.npos ? NAN : std::stod(text.substr(at + before.size()));
}

// Of a square with a side of two units, in a plot `ratio` times as wide as high, both sides are as long on the page.
TEST(FigurePlot, EqualScaleHasUnitsOfOneLength) {
  for (const auto& [wide, high] :
       {std::pair(10.0, 10.0), std::pair(500.0, 20.0), std::pair(3.0, 90.0), std::pair(4.0, 0.0)}) {
    const Figure figure{
        .name = "f",
        .title = "t",
        .x_name = "m",
        .y_name = "m",
        .series = {{.name = "", .x = {1, 3, 3}, .y = {1, 1, 3}}, {.name = "", .x = {0, wide}, .y = {0, high}}},
        .is_equal_scale = true};
    const std::string svg = report::drawn(figure);
    const double ratio = number_after(svg, "aspect-ratio:");
    const std::size_t path = svg.find("d=\"M");
    double x[3], y[3];
    ASSERT_EQ(std::sscanf(svg.c_str() + path, "d=\"M%lf %lfL%lf %lfL%lf %lf", x, y, x + 1, y + 1, x + 2, y + 2), 6)
        << svg;
    EXPECT_NEAR((x[1] - x[0]) * ratio / (y[1] - y[2]), 1, 2e-2) << wide << " " << high;  // coordinates have 5 digits
    EXPECT_GE(ratio, 0.599);
    EXPECT_LE(ratio, 2.401);
  }
}

TEST(FigurePlot, LogarithmicAxesPlaceDecadesEvenly) {
  const Figure figure{.name = "f",
                      .title = "t",
                      .x_name = "x",
                      .y_name = "y",
                      .series = {{.name = "s",
                                  .x = {1, 10, 100, 0, -5},
                                  .y = {1e-6, 1e-3, 1, 1, 1},
                                  .low = {0, 1e-4, 0.5, 1, 1},
                                  .high = {1e-5, 1e-2, 2, 1, 1}}},
                      .is_log_x = true,
                      .is_log_y = true};
  const std::string svg = report::drawn(figure);
  double x[3], y[3];
  const std::size_t path = svg.find("<path class=\"line\"");
  ASSERT_EQ(std::sscanf(svg.c_str() + svg.find("d=\"M", path), "d=\"M%lf %lfL%lf %lfL%lf %lf", x, y, x + 1, y + 1,
                        x + 2, y + 2),
            6)
      << svg;
  EXPECT_NEAR(x[1] - x[0], x[2] - x[1], 0.1);
  EXPECT_NEAR(y[0] - y[1], y[1] - y[2], 0.1);
  EXPECT_FALSE(has(svg, "nan"));
  EXPECT_FALSE(has(svg, "inf"));
  EXPECT_TRUE(has(svg, "1e-4"));  // a tick, or an end of the band
}

TEST(FigurePlot, GapsBreakLines) {
  const std::string svg =
      report::drawn(Figure{.name = "f",
                           .title = "t",
                           .x_name = "x",
                           .y_name = "y",
                           .series = {{.name = "s", .x = {0, 1, 2, 3, 4}, .y = {1, 2, NAN, 4, 5}}}});
  const std::string line = svg.substr(svg.find("<path class=\"line\""));
  EXPECT_EQ(count_of(line.substr(0, line.find("/>")), "M"), 2u) << line;
  EXPECT_EQ(report::drawn(Figure{.name = "f", .title = "t", .series = {{.name = "s", .x = {NAN}, .y = {NAN}}}}), "");
  EXPECT_EQ(report::drawn(Figure{.name = "f", .title = "t"}), "");
}

TEST(SeriesPoints, ThinningKeepsEndsAndPeaks) {
  Series series{.name = "s", .x = {}, .y = {}};
  for (int i = 0; i < 1'000'000; ++i) series.x.push_back(i), series.y.push_back(i == 654'321 ? 99 : i % 7);
  Figure figure{.name = "f", .title = "t", .x_name = "x", .y_name = "y", .series = {series}};
  const auto points = report::points_of(series, figure);
  const auto few = report::thinned_line(points, 1000);
  EXPECT_LE(few.size(), 1010u);
  EXPECT_EQ(few.front().x, 0);
  EXPECT_EQ(few.back().x, 999'999);
  EXPECT_TRUE(std::any_of(few.begin(), few.end(), [](const report::Point& point) { return point.y == 99; }));
  EXPECT_TRUE(report::is_rising(few));
  const auto cells = report::thinned_scatter(points, figure, 900);
  EXPECT_LE(cells.size(), 900u);
  EXPECT_TRUE(std::any_of(cells.begin(), cells.end(), [](const report::Point& point) { return point.y == 99; }));
  EXPECT_LT(report::drawn(figure).size(), 400'000u);
  figure.kind = Figure::Kind::scatter;
  EXPECT_LT(report::drawn(figure).size(), 400'000u);
}

TEST(HeatMaps, LargeOnesAreAveragedAndSignsHaveColors) {
  HeatMap map{.name = "m", .title = "t", .rows = {}, .columns = {}, .values = {}};
  for (int i = 0; i < 300; ++i)
    map.rows.push_back("r" + std::to_string(i)), map.columns.push_back("c" + std::to_string(i));
  for (int i = 0; i < 90'000; ++i) map.values.push_back(i % 2 == 0 ? i : -i);
  const std::string svg = report::drawn(map);
  EXPECT_TRUE(has(svg, "A cell is the mean of 5 rows and 4 columns."));
  EXPECT_LE(count_of(svg, "<rect"), 60u * 75u);
  const std::string small =
      report::drawn(HeatMap{.name = "m", .title = "t", .rows = {"r"}, .columns = {"a", "b"}, .values = {-1, 4}});
  EXPECT_TRUE(has(small, "<td class=\"below\" style=\"--share:25%\">-1</td><td style=\"--share:100%\">4</td>"))
      << small;
}

TEST(Pictures, OnlyWholeImagesOfAPlainSize) {
  const auto png = report::picture_size("image/png", kPng);
  ASSERT_TRUE(png.has_value());
  EXPECT_EQ(png->width, 1u);
  const std::string text = kPng;
  EXPECT_FALSE(report::picture_size("image/jpeg", text));
  EXPECT_FALSE(report::picture_size("image/svg+xml", text));
  EXPECT_FALSE(report::picture_size("image/png\" onload=\"x", text));
  EXPECT_FALSE(report::picture_size("image/png", text.substr(0, 60) + "\"" + text.substr(61)));
  EXPECT_FALSE(report::picture_size("image/png", text.substr(0, text.size() - 1)));
  EXPECT_FALSE(report::picture_size("image/png", ""));
  EXPECT_FALSE(report::picture_size("image/png", "iVBORw0KGgo="));
  std::string huge = text;
  huge.replace(21, 5, "n////");  // the first bytes of the width
  EXPECT_FALSE(report::picture_size("image/png", huge));
}

// Every part of every event in turn is of every other type: the page stays whole, and what is no figure is counted.
TEST_F(FigurePage, HostileEvents) {
  Figures figures;
  figures.add(regret());
  figures.add(HeatMap{.name = "map", .title = "Map", .rows = {"r"}, .columns = {"c1", "c2"}, .values = {0, 1}});
  figures.add(FigureTable{.name = "scores", .title = "Scores", .columns = {"a"}, .rows = {{9.25}}});
  std::vector<Json> events = figures.take();
  events.push_back({{"event", "image"}, {"name", "i"}, {"title", "t"}, {"type", "image/png"}, {"base64", kPng}});
  const std::string attack = "</svg></style><script>alert(1)</script><img src=x onerror=\"a('1')\">";
  const Json others[] = {nullptr,
                         true,
                         -1,
                         1e308,
                         "text",
                         attack,
                         Json::array(),
                         Json::object(),
                         Json::array({1, "x", nullptr}),
                         Json::array({Json::array({Json::array()})})};
  const std::function<void(Json&, const std::function<void()>&)> each_value = [&](Json& at,
                                                                                  const std::function<void()>& call) {
    for (auto& child : at) {
      const Json keep = child;
      for (const Json& other : others) child = other, call();
      child = keep;
      if (child.is_structured()) each_value(child, call);
    }
  };
  for (Json& event : events) {
    each_value(event, [&] {
      const std::string page = report_html({run("odd", event.dump() + "\n")});
      ASSERT_EQ(malformed(page), "") << event.dump();
      ASSERT_FALSE(has(page, "<script"));
      ASSERT_FALSE(has(page, "<img src=x"));
      ASSERT_FALSE(has(page, "nan")) << event.dump();
    });
  }
  const auto unread = [&](const Json& event) { return report::read_run(run("odd", event.dump() + "\n")).unread_lines; };
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{
           {"kind", "pie"}, {"name", ""}, {"series", 3}, {"log_x", "yes"}, {"note", Json::array()}}) {
    Json event = events[0];
    event[key] = value;
    EXPECT_EQ(unread(event), 1u) << key;
  }
  Json unequal = events[0];
  unequal["series"][1]["y"].push_back(5);
  EXPECT_EQ(unread(unequal), 1u);
  Json one_sided = events[0];
  one_sided["series"][0].erase("low");
  EXPECT_EQ(unread(one_sided), 1u);
  Json short_map = events[1];
  short_map["values"].erase(std::size_t{0});
  EXPECT_EQ(unread(short_map), 1u);
  EXPECT_EQ(unread(events[0]), 0u);
  EXPECT_EQ(unread(events[3]), 0u);
}

TEST_F(FigurePage, TooMuchIsBounded) {
  std::string events, numbers = "[0";
  for (int i = 1; i < 1'000'000; ++i) numbers += "," + std::to_string(i % 1000);
  numbers += "]";
  events +=
      R"({"event":"figure","name":"many","title":"Many","kind":"lines","x":"x","y":"y","series":[{"name":"s","x":)" +
      numbers + ",\"y\":" + numbers + "}]}\n";
  Figure wide = regret();
  wide.name = "wide";
  for (int i = 0; i < 500; ++i) wide.series.push_back(wide.series[1]);
  Figures figures;
  figures.add(wide);
  for (int i = 0; i < 200; ++i)
    figures.add(FigureTable{.name = "t" + std::to_string(i), .title = "t", .columns = {"a"}, .rows = {{1}}});
  FigureTable tall{.name = "t1", .title = "Tall", .columns = {"a"}, .rows = {}};
  for (int i = 0; i < 3000; ++i) tall.rows.push_back({i});
  figures.add(tall);
  events += lines_of(figures);
  std::string keys = R"({"event":"table","name":"keys")";
  for (int i = 0; i < 50'000; ++i) keys += ",\"k" + std::to_string(i) + "\":1";
  events += keys + "}\n";
  const fs::path path = run("much", events);
  const report::RunRecord read = report::read_run(path);
  EXPECT_EQ(read.figures.size(), 64u);
  EXPECT_EQ(read.unread_lines, 200u - 62u + 1u);
  const std::string page = report_html({path});
  EXPECT_EQ(malformed(page), "");
  EXPECT_LT(page.size(), 1'500'000u);
  EXPECT_TRUE(has(page, "<b>Many</b>"));
  EXPECT_TRUE(has(page, "478 more series are not drawn."));
  EXPECT_TRUE(has(page, "2,500 more rows are not shown."));
  EXPECT_TRUE(has(page, "139 lines of events.jsonl could not be read"));
}

}  // namespace
}  // namespace frugal
