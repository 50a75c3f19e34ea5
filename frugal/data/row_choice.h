// Which records of a file are used: all, those at the front, a seeded sample, a share that is split off.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/data/chat_records.h"

namespace frugal {

struct RowChoice {
  RowChoice(std::size_t most = 0) : limit(most) {}  // NOLINT(google-explicit-constructor): the first `most`; 0: all
  std::size_t limit;
  bool is_sample =
      false;  // `limit` records are drawn, evenly over the labels where there are some; else the first ones
  std::uint64_t seed = 0;
  double from = 0, to = 1;  // the share of the records whose hash, as a number in [0, 1), lies in [from, to)

  bool is_whole_file() const { return from <= 0 && to >= 1; }
  std::string name() const;  // names the choice
};

// Of a record's own text, wherever it stands in a file: equal records are on the same side of a split.
std::uint64_t record_hash(const Records& records, std::size_t row);
std::uint64_t record_hash(const ChatRecords& records, std::size_t row);

class ChosenRows {
 public:
  using Take = std::function<void(std::uint64_t hash, std::string_view label)>;
  // each: calls its argument for every record of the file, in order; not called where the choice needs no look at them.
  // Drawing takes the records of each label in the order of their hashes under the seed, a label at a time.
  // Error(Exit::input): the choice has no record.
  ChosenRows(const RowChoice& choice, const std::string& file, const std::function<void(const Take&)>& each);

  std::size_t limit() const { return limit_; }  // records that have to be read; 0: all
  std::size_t size() const { return rows_.size(); }
  bool next();  // whether the next record is one of them

 private:
  std::size_t limit_ = 0;
  bool is_front_ = true;
  std::vector<std::uint32_t> rows_;  // rising
  std::size_t at_ = 0;
  std::uint32_t row_ = 0;
};

}  // namespace frugal
