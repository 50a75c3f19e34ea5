#include "frugal/signals/swarm/tracks.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <unordered_set>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/formats/records/text_file.h"

namespace frugal::swarm {
namespace {

enum Column : std::size_t { kRun, kTactic, kStep, kAgent, kPx, kPy, kVx, kVy, kColumns };
constexpr std::array<std::string_view, kColumns> kNames = {"run", "tactic", "step", "agent", "px", "py", "vx", "vy"};
constexpr std::int64_t kMostAgents = 1000;
constexpr const char* kFix = "columns are run, tactic (may be missing), step, agent, px, py, vx, vy";
constexpr const char* kOrderFix = "sort the lines by run, then step, then agent, without gaps";

// Goes through the lines of a file that has been checked to be text.
class Reader {
 public:
  Reader(std::string_view text, const std::string& name) : text_(text), tracks_{.file = name} { read_header(); }

  Tracks read() {
    while (next_line()) {
      if (!fields_.empty()) add_line();
    }
    if (tracks_.runs.empty()) refuse("there is no line of a track", kFix);
    end_step();
    return std::move(tracks_);
  }

  // Of the first step, which is whole.
  std::int64_t first_agents() {
    while (next_line()) {
      if (fields_.empty()) continue;
      add_line();
      if (tracks_.agents > 0) return tracks_.agents;
    }
    if (tracks_.runs.empty()) refuse("there is no line of a track", kFix);
    end_step();
    return tracks_.agents;
  }

 private:
  [[noreturn]] void refuse(const std::string& fact, const std::string& fix) const {
    refuse_line(tracks_.file, line_, fact, fix);
  }

  bool next_line() {
    if (at_ >= text_.size()) return false;
    ++line_;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string_view line = text_.substr(at_, end - at_);
    at_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    fields_.clear();
    if (line.find_first_not_of(" \t") == std::string_view::npos) return true;
    for (std::size_t from = 0; from <= line.size();) {
      const std::size_t comma = std::min(line.find(',', from), line.size());
      if (fields_.size() > kColumns) refuse("has over " + std::to_string(kColumns) + " fields", kFix);
      fields_.push_back(line.substr(from, comma - from));
      from = comma + 1;
    }
    return true;
  }

  void read_header() {
    if (!next_line() || fields_.empty()) refuse("there is no line with the columns' names", kFix);
    place_.fill(kColumns);
    for (std::size_t at = 0; at < fields_.size(); ++at) {
      const auto found = std::find(kNames.begin(), kNames.end(), fields_[at]);
      if (found == kNames.end()) refuse("column '" + std::string(fields_[at].substr(0, 40)) + "' is not known", kFix);
      std::size_t& place = place_[static_cast<std::size_t>(found - kNames.begin())];
      if (place != kColumns) refuse("column '" + std::string(*found) + "' is there twice", kFix);
      place = at;
    }
    for (std::size_t c = 0; c < kColumns; ++c) {
      if (place_[c] == kColumns && c != kTactic) refuse("column '" + std::string(kNames[c]) + "' is missing", kFix);
    }
    columns_ = fields_.size();
    tracks_.has_tactics = place_[kTactic] != kColumns;
  }

  template <class T>
  T number(Column column) const {
    const std::string_view text = fields_[place_[column]];
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(static_cast<float>(value))) {
      refuse(std::string(kNames[column]) + " is '" + std::string(text.substr(0, 40)) + "', expected a " +
                 (std::is_integral_v<T> ? "whole" : "finite") + " number",
             "mend or remove that run");
    }
    return value;
  }

  std::int32_t tactic() const {
    if (!tracks_.has_tactics) return -1;
    const std::string_view text = fields_[place_[kTactic]];
    for (int k = 0; k < kTactics; ++k) {
      if (text == name(static_cast<Tactic>(k))) return k;
    }
    refuse("tactic is '" + std::string(text.substr(0, 40)) + "', expected greedy, greedy+, auction or auction+",
           "leave the column out where tactics are not known");
  }

  void add_line() {
    if (fields_.size() != columns_)
      refuse("has " + std::to_string(fields_.size()) + " fields, expected " + std::to_string(columns_), kFix);
    const auto run = number<std::int64_t>(kRun), step = number<std::int64_t>(kStep),
               agent = number<std::int64_t>(kAgent);
    const bool is_new_run = tracks_.runs.empty() || tracks_.runs.back().name != run;
    if (is_new_run || step != step_) {
      if (!tracks_.runs.empty()) end_step();
      if (is_new_run) begin_run(run);
      if (!is_new_run && step != step_ + 1)
        refuse("step " + std::to_string(step) + " follows step " + std::to_string(step_), kOrderFix);
      step_ = step, first_agent_ = is_new_run ? agent : first_agent_, row_.clear();
    }
    if (tactic() != tracks_.runs.back().tactic) refuse("a run has two tactics", "give each run one tactic");
    const std::int64_t expected = first_agent_ + static_cast<std::int64_t>(row_.size());
    if (agent != expected)
      refuse("agent is " + std::to_string(agent) + ", expected " + std::to_string(expected), kOrderFix);
    if (row_.size() == kMostAgents) refuse("a step has over 1000 agents", kOrderFix);
    row_.push_back({number<double>(kPx), number<double>(kPy), number<double>(kVx), number<double>(kVy)});
  }

  void begin_run(std::int64_t name) {
    if (!seen_.insert(name).second) refuse("run " + std::to_string(name) + " is there twice", kOrderFix);
    tracks_.runs.push_back({.name = name, .tactic = tactic(), .first = tracks_.values.size()});
  }

  void end_step() {
    const auto agents = static_cast<std::int64_t>(row_.size());
    if (tracks_.agents == 0) tracks_.agents = agents;
    if (agents != tracks_.agents) {
      refuse(
          "the step before has " + std::to_string(agents) + " agents, the first one " + std::to_string(tracks_.agents),
          "every step of every run has a line for each agent");
    }
    for (std::size_t part = 0; part < 4; ++part) {
      for (const auto& one : row_) tracks_.values.push_back(static_cast<float>(one[part]));
    }
    ++tracks_.runs.back().steps;
  }

  std::string_view text_;
  Tracks tracks_;
  std::size_t at_ = 0, columns_ = 0;
  std::uint64_t line_ = 0;
  std::vector<std::string_view> fields_;
  std::array<std::size_t, kColumns> place_{};
  std::vector<std::array<double, 4>> row_;
  std::int64_t step_ = 0, first_agent_ = 0;
  std::unordered_set<std::int64_t> seen_;
};

template <class T>
void append(std::string& text, T value) {
  char digits[32];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

TracksWriter::TracksWriter(const std::filesystem::path& path) : file_(path) {
  file_.write("run,tactic,step,agent,px,py,vx,vy\n");
}

void TracksWriter::write(std::int64_t run, Tactic tactic, const Track& track) {
  lines_.clear();
  for (std::int64_t t = 0; t < track.steps; ++t) {
    const double* row = &track.data[static_cast<std::size_t>(t * 4 * track.agents)];
    for (std::int64_t i = 0; i < track.agents; ++i) {
      append(lines_, run);
      lines_.append(",").append(name(tactic)).append(",");
      append(lines_, t);
      lines_ += ',';
      append(lines_, i + 1);
      for (int part = 0; part < 4; ++part) {
        lines_ += ',';
        append(lines_, static_cast<float>(row[part * track.agents + i]));  // the shortest that reads back to it
      }
      lines_ += '\n';
    }
  }
  file_.write(lines_);
}

Tracks parse_tracks(std::string_view text, const std::string& name) {
  return Reader(checked_text(text, name), name).read();
}

Tracks read_tracks(const std::filesystem::path& path) { return parse_tracks(read_whole(path), path.string()); }

std::int64_t agents_of(const std::filesystem::path& path) {
  std::string beginning(1 << 18, '\0');
  std::ifstream file = open_file(path);  // not of a pipe, which would wait
  if (!file || std::filesystem::is_directory(path))
    throw Error(Exit::input, path.string() + " cannot be read", "check the path");
  file.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  beginning.resize(static_cast<std::size_t>(file.gcount()));
  if (beginning.size() == 1 << 18) beginning.resize(beginning.rfind('\n') + 1);  // whole lines
  return Reader(checked_text(beginning, path.string()), path.string()).first_agents();
}

std::int64_t count_known(const Tracks& tracks, const EngagementConfig& config, std::int64_t seeds) {
  if (tracks.agents != config.attackers) return 0;
  const auto agents = static_cast<std::size_t>(config.attackers);
  const auto start_of = [agents](const auto* x, const auto* y) {  // as the bytes that a set can hold
    std::string bytes(8 * agents, '\0');
    for (std::size_t i = 0; i < agents; ++i) {
      const float at[2] = {static_cast<float>(x[i]), static_cast<float>(y[i])};
      std::memcpy(&bytes[8 * i], at, 8);
    }
    return bytes;
  };
  std::unordered_multiset<std::string> starts;
  for (const auto& run : tracks.runs)
    starts.insert(start_of(&tracks.values[run.first], &tracks.values[run.first + agents]));
  EngagementConfig alone = config;
  alone.decoys = 1;  // drawn behind the attackers
  std::int64_t known = 0;
  for (std::int64_t seed = 1; seed <= seeds && !starts.empty(); ++seed) {
    const Engagement engagement(alone, Tactic::greedy, static_cast<std::uint32_t>(seed));
    const Bodies& attackers = engagement.attackers();
    known += static_cast<std::int64_t>(starts.erase(start_of(attackers.px.data(), attackers.py.data())));
  }
  return known;
}

Corpus corpus_of(const Tracks& tracks, std::int64_t least, std::int64_t most) {
  std::int64_t steps = most;
  for (const auto& run : tracks.runs) {
    if (run.steps < least) {
      throw Error(Exit::input,
                  tracks.file + ": run " + std::to_string(run.name) + " has " + std::to_string(run.steps) +
                      " steps, the model observes " + std::to_string(least),
                  "remove the run, or train with a smaller --window");
    }
    steps = std::min(steps, run.steps);
  }
  Corpus corpus{.runs = static_cast<std::int64_t>(tracks.runs.size()), .steps = steps, .agents = tracks.agents};
  const auto kept = static_cast<std::ptrdiff_t>(steps * corpus.features());
  corpus.values.reserve(tracks.runs.size() * static_cast<std::size_t>(kept));
  for (const auto& run : tracks.runs) {
    const auto from = tracks.values.begin() + static_cast<std::ptrdiff_t>(run.first);
    corpus.values.insert(corpus.values.end(), from, from + kept);
    corpus.labels.push_back(run.tactic);
    corpus.names.push_back(run.name);
  }
  return corpus;
}

}  // namespace frugal::swarm
