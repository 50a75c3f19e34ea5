// What figures and tables are made of, by itself.
#include "frugal/cli/report/figure_parts.h"

#include <gtest/gtest.h>

#include "frugal/cli/report/tests/html.h"

namespace frugal {
namespace {

TEST(FigureParts, NotesAreSentences) {
  EXPECT_TRUE(has(report::figure_end("7 of 20 steps", "3 more."), ">7 of 20 steps. 3 more.<"));
  EXPECT_TRUE(has(report::figure_end("Why?", "3 more."), ">Why? 3 more.<"));
  EXPECT_TRUE(has(report::figure_end("", "3 more."), ">3 more.<"));
}

TEST(FigureTables, AColumnHasAsManyDecimalsThroughout) {
  const std::string drawn = report::drawn(
      FigureTable{.name = "t",
                  .title = "T",
                  .columns = {"policy", "regret", "share", "tiny"},
                  .rows = {{"a", 7368.25, 0.5, 2.5e-7}, {"b", 75.125, 20, 1e-7}, {"c", 117.9359, 0.03125, 0}}});
  for (const std::string_view part :
       {">7368.25<", ">75.12<", ">117.94<", ">0.5000<", ">20.0000<", ">0.0312<", ">2.5e-7<"})
    EXPECT_TRUE(has(drawn, part)) << part << "\n" << drawn;
}

}  // namespace
}  // namespace frugal
