// The numbers of a run as a table and as TensorBoard's event files, which are read here by their definition.
#include "frugal/cli/report/numbers.h"

#include <gtest/gtest.h>

#include <cstring>

#include "frugal/base/atomic_file.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal::report {
namespace {

class Numbers : public testing::Test {
 protected:
  RunRecord run() const {
    write_file(folder_ / "run.json", R"({"format": 1, "created": "2026-01-02T03:04:05Z", "settings": {}})");
    write_file(folder_ / "events.jsonl", R"({"event":"eval","step":0,"data":"dev","accuracy":0.5,"seconds":0.25})"
                                         "\n"
                                         R"({"event":"step","step":1,"loss":2.5,"lr":0.001,"seconds":0.5})"
                                         "\n"
                                         R"({"event":"step","step":2,"loss":1.25,"lr":0.001,"seconds":1})"
                                         "\n"
                                         R"({"event":"eval","step":2,"data":"dev","accuracy":0.75,"seconds":1.5})"
                                         "\n");
    return read_run(folder_.path());
  }
  TemporaryFolder folder_;
};

TEST_F(Numbers, RowsAreStepsAndEvaluations) {
  const auto rows = rows_of(run());
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0]["kind"], "eval");
  EXPECT_EQ(rows[0]["accuracy"], 0.5);
  EXPECT_EQ(rows[1]["loss"], 2.5);
  EXPECT_EQ(rows[2]["step"], 2);
  EXPECT_EQ(rows[2]["kind"], "step");
  EXPECT_EQ(rows[3]["data"], "dev");
}

// RFC 3720, appendix B.4, and a text that is known.
TEST(Crc32c, KnownSums) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

TEST_F(Numbers, EventsAreWholeRecords) {
  const std::string file = tensorboard_events(run());
  std::size_t at = 0, records = 0;
  const auto masked = [](std::string_view bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return static_cast<std::uint32_t>((crc >> 15 | crc << 17) + 0xa282ead8u);
  };
  const auto number = [&](std::size_t place) {
    std::uint32_t value;
    std::memcpy(&value, file.data() + place, sizeof value);
    return value;
  };
  std::string events;
  for (; at + 12 < file.size(); ++records) {
    std::uint64_t length;
    std::memcpy(&length, file.data() + at, sizeof length);
    EXPECT_EQ(number(at + 8), masked(file.substr(at, 8)));
    ASSERT_LE(at + 16 + length, file.size());
    EXPECT_EQ(number(at + 12 + length), masked(file.substr(at + 12, length)));
    events += file.substr(at + 12, length);
    at += 16 + length;
  }
  EXPECT_EQ(at, file.size());
  EXPECT_EQ(records, 5u) << "the version, and a record a row";
  for (const char* text : {"brain.Event:2", "train/loss", "train/lr", "dev/accuracy"})
    EXPECT_NE(events.find(text), std::string::npos) << text;
  EXPECT_EQ(events.find("seconds"), std::string::npos);
}

}  // namespace
}  // namespace frugal::report
