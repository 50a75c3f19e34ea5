#include "frugal/data/row_choice.h"

#include <algorithm>
#include <map>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/base/philox.h"

namespace frugal {
namespace {

// FNV-1a of 64 bits, with the end of each text.
void add(std::uint64_t& hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash = (hash ^ 0xff) * 0x100000001b3;  // no byte of UTF-8
}

// A number in [0, 1) of well mixed bits.
double share_of(std::uint64_t hash) { return static_cast<double>(philox_key(hash, 0) >> 11) * 0x1p-53; }

}  // namespace

std::string RowChoice::name() const {
  const bool is_drawn = is_sample && limit > 0;
  return Json{{"limit", limit}, {"sample", is_drawn}, {"seed", is_drawn ? seed : 0}, {"share", {from, to}}}.dump();
}

std::uint64_t record_hash(const Records& records, std::size_t row) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const auto& [column, text] : records.rows[row].values) {
    add(hash, records.columns[column]);
    add(hash, text);
  }
  return hash;
}

std::uint64_t record_hash(const ChatRecords& records, std::size_t row) {
  std::uint64_t hash = record_hash(records.table, row);
  if (records.lists.empty()) return hash;
  const ChatRecords::Lists& lists = records.lists[row];
  for (const auto* list : {&lists.messages, &lists.conversations, &lists.prompt, &lists.chosen, &lists.rejected}) {
    add(hash, list->has_value() ? "list" : "");
    if (!list->has_value()) continue;
    for (const Message& message : **list) {
      add(hash, message.role);
      add(hash, message.content);
    }
  }
  return hash;
}

ChosenRows::ChosenRows(const RowChoice& choice, const std::string& file, const std::function<void(const Take&)>& each) {
  is_front_ = choice.is_whole_file() && (!choice.is_sample || choice.limit == 0);
  if (is_front_) {
    limit_ = choice.limit;
    return;
  }
  struct Candidate {
    std::uint64_t key;
    std::uint32_t row;
    bool operator<(const Candidate& other) const { return key != other.key ? key < other.key : row < other.row; }
  };
  std::map<std::string, std::vector<Candidate>, std::less<>> by_label;
  const bool is_drawn = choice.is_sample && choice.limit > 0;
  std::uint32_t row = 0;
  each([&](std::uint64_t hash, std::string_view label) {
    const std::uint32_t number = row++;
    const double share = share_of(hash);
    if (share < choice.from || share >= choice.to) return;
    if (!is_drawn && choice.limit > 0 && rows_.size() == choice.limit) return;
    if (!is_drawn) return rows_.push_back(number);
    auto found = by_label.find(label);
    if (found == by_label.end()) found = by_label.emplace(std::string(label), std::vector<Candidate>()).first;
    std::vector<Candidate>& least = found->second;  // a heap of at most `limit`
    least.push_back({philox_key(choice.seed, hash), number});
    std::push_heap(least.begin(), least.end());
    if (least.size() <= choice.limit) return;
    std::pop_heap(least.begin(), least.end());
    least.pop_back();
  });
  if (rows_.empty() && by_label.empty())
    throw Error(Exit::input,
                file + " has " + std::to_string(row) + " records, of which none is in the share that is asked for",
                "a larger share, or another file");
  if (!is_drawn) return;
  std::size_t there = 0;
  for (auto& [label, candidates] : by_label) {
    std::sort_heap(candidates.begin(), candidates.end());
    there += candidates.size();
  }
  for (std::size_t turn = 0; rows_.size() < std::min(choice.limit, there); ++turn) {
    for (const auto& [label, candidates] : by_label) {
      if (turn < candidates.size() && rows_.size() < choice.limit) rows_.push_back(candidates[turn].row);
    }
  }
  std::sort(rows_.begin(), rows_.end());
}

bool ChosenRows::next() {
  if (is_front_) return true;
  const std::uint32_t row = row_++;
  if (at_ == rows_.size() || rows_[at_] != row) return false;
  ++at_;
  return true;
}

}  // namespace frugal
