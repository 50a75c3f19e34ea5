// Curves, axes and plots against what they promise.
#include "frugal/cli/report/plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "frugal/cli/report/axis.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

Curve noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Curve curve;
  for (std::size_t i = 0; i < size; ++i) curve.add(static_cast<double>(i), static_cast<double>(random() % 1000));
  return curve;
}

TEST(Curve, SmoothingAgainstItsDefinition) {
  const Curve curve = noise(40, 1);
  const Curve mean = running_mean(curve, 7), median = running_median(curve, 7);
  for (int i = 0; i < 40; ++i) {
    std::vector<double> part;
    for (int k = std::max(0, i - 3); k <= std::min(39, i + 3); ++k)
      part.push_back(curve.y[static_cast<std::size_t>(k)]);
    double sum = 0;
    for (const double y : part) sum += y;
    std::sort(part.begin(), part.end());
    EXPECT_NEAR(mean.y[static_cast<std::size_t>(i)], sum / static_cast<double>(part.size()),
                1e-9);  // sums below 2^53 ulp
    EXPECT_EQ(median.y[static_cast<std::size_t>(i)], part[part.size() / 2]);
  }
  EXPECT_EQ(running_mean(curve, 1).y, curve.y);
}

TEST(Curve, DecimationKeepsEndsAndPeaksAndOrder) {
  Curve curve = noise(100'000, 2);
  curve.y[54'321] = 5000, curve.y[12'345] = -5000;
  const Curve few = decimated(curve, 100);
  EXPECT_LE(few.size(), 404u);
  EXPECT_EQ(few.x.front(), 0);
  EXPECT_EQ(few.x.back(), 99'999);
  EXPECT_EQ(*std::max_element(few.y.begin(), few.y.end()), 5000);
  EXPECT_EQ(*std::min_element(few.y.begin(), few.y.end()), -5000);
  EXPECT_TRUE(std::is_sorted(few.x.begin(), few.x.end()));
  for (std::size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few.y[i], curve.y[static_cast<std::size_t>(few.x[i])]);
  EXPECT_EQ(decimated(curve, 50'000).size(), curve.size());
}

TEST(Curve, NearestAndSlope) {
  Curve curve;
  for (const double x : {1.0, 2.0, 5.0}) curve.add(x, 10 * x);
  EXPECT_EQ(nearest(curve, -3), 0u);
  EXPECT_EQ(nearest(curve, 3.4), 1u);
  EXPECT_EQ(nearest(curve, 3.6), 2u);
  EXPECT_EQ(nearest(curve, 9), 2u);
  EXPECT_EQ(slope(curve).y, (std::vector<double>{10, 10}));
  curve.cut_from(2);
  EXPECT_EQ(curve.x, std::vector<double>{1});
}

// Over ranges of every size and place: ticks lie inside, are equally far apart, and read differently.
TEST(Axis, TicksOfAnyRange) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> exponent(-12, 12), share(-1, 1);
  for (int i = 0; i < 3000; ++i) {
    const double width = std::pow(10, exponent(random)), low = width * 30 * share(random);
    const Axis axis{low, low + width};
    const auto found = ticks(axis, 5);
    ASSERT_GE(found.size(), 2u) << low << " " << width;
    ASSERT_LE(found.size(), 15u);
    std::set<std::string> texts;
    for (std::size_t k = 0; k < found.size(); ++k) {
      EXPECT_GE(axis.at(found[k].value), -1e-6);
      EXPECT_LE(axis.at(found[k].value), 1 + 1e-6);
      if (k >= 2) {
        EXPECT_NEAR(axis.at(found[k].value) - axis.at(found[k - 1].value),
                    axis.at(found[1].value) - axis.at(found[0].value), 1e-6);
      }
      texts.insert(found[k].text);
    }
    EXPECT_EQ(texts.size(), found.size()) << low << " " << width << " " << found[0].text << " " << found[1].text;
  }
}

TEST(Axis, RangesThatAreNone) {
  for (const double value : {0.0, 1.0, -3.0, 1e100, 1e-100}) {
    for (const bool from_zero : {false, true}) {
      const Axis axis = value_axis(value, value, from_zero);
      EXPECT_LT(axis.low, axis.high);
      EXPECT_GT(axis.at(value), 0 - 1e-9);
      EXPECT_LT(axis.at(value), 1);
      EXPECT_FALSE(ticks(axis, 4).empty());
    }
  }
  const Axis close = value_axis(1e15, std::nextafter(1e15, 2e15), false);
  EXPECT_LT(close.low, close.high);
  EXPECT_LE(ticks(close, 4).size(), 12u);
}

TEST(Text, Numbers) {
  EXPECT_EQ(number(0.93751), "0.9375");
  EXPECT_EQ(number(static_cast<double>(1e-4F)), "1e-4");
  EXPECT_EQ(number(3e-5), "3e-5");
  EXPECT_EQ(number(-2.5e-7), "-2.5e-7");
  EXPECT_EQ(number(1234567), "1,234,567");
  EXPECT_EQ(number(-1234), "-1,234");
  EXPECT_EQ(number(-12), "-12");
  EXPECT_EQ(number(1e22), "1e22");
  EXPECT_EQ(number(NAN), "?");
  EXPECT_EQ(metric(0.9), "0.9000");
  EXPECT_EQ(metric(20.5), "20.5000");
  EXPECT_EQ(duration(0.0), "0 s");
  EXPECT_EQ(duration(-1), "?");
  EXPECT_EQ(duration(0.0125), "0.0125 s");
  EXPECT_EQ(duration(6.62e-6), "6.62 \xC2\xB5s");
  EXPECT_EQ(duration(61.5), "1:01");
}

TEST(Text, EscapeAndShell) {
  EXPECT_EQ(escape("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escape(std::string_view("\0\x1b\n\x7f", 4)), "\xEF\xBF\xBD\xEF\xBF\xBD\n\xEF\xBF\xBD");
  EXPECT_EQ(escape("\xC3\xA4\xC3"), "\xC3\xA4\xEF\xBF\xBD");
  EXPECT_EQ(shell_word("/a/b-c_d.gguf"), "/a/b-c_d.gguf");
  EXPECT_EQ(shell_word("my run"), "'my run'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
  Json deep = 1;
  for (int i = 0; i < 100'000; ++i) deep = Json::array({std::move(deep)});
  EXPECT_EQ(plain(deep), "[[[[[[[...]]]]]]]");
  EXPECT_LE(plain(Json(std::string(100'000, 'x'))).size(), 603u);
}

// Points land where the axes say, and a tooltip gives their values.
TEST(Plot, PlacesPoints) {
  Plot plot{.title = "a <title>", .lines = {{.name = "n", .curve = {}, .has_dots = true}}, .from_zero = true};
  plot.lines[0].curve.add(0, 0);
  plot.lines[0].curve.add(5, 0.5);
  plot.lines[0].curve.add(10, 1);
  const std::string svg = figure(plot);
  const Axis y = value_axis(0, 1, true);
  char middle[40];
  std::snprintf(middle, sizeof middle, "L500 %.5g", 1000 * (1 - y.at(0.5)));
  EXPECT_NE(svg.find("d=\"M0 1000" + std::string(middle) + "L1000 "), std::string::npos) << svg;
  EXPECT_NE(svg.find("<title>step 5\nn: 0.5</title>"), std::string::npos);
  EXPECT_NE(svg.find("a &lt;title&gt;"), std::string::npos);
  EXPECT_EQ(figure(Plot{.title = "none", .lines = {{.name = "n", .curve = {}}}}), "");
}

TEST(Plot, ExtremeValuesStayNumbers) {
  Plot plot{.title = "t", .lines = {{.name = "n", .curve = {}}}};
  plot.lines[0].curve.add(0, -1e100);
  plot.lines[0].curve.add(0x1p53, 1e100);
  for (const Plot& each : {plot, Plot{.title = "one", .lines = {{.name = "n", .curve = {{3}, {7}}}}}}) {
    const std::string svg = figure(each);
    EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
    EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
  }
}

}  // namespace
}  // namespace frugal::report
