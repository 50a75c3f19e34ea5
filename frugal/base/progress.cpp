#include "frugal/base/progress.h"

#include <cstdio>

#include "frugal/base/log.h"
#include "frugal/base/units.h"

namespace frugal {
namespace {
constexpr double kSilent = 2, kRedraw = 0.2, kPlain = 30;  // seconds
}

std::string progress_line(std::uint64_t done, std::uint64_t all, double rate, std::string_view unit,
                          std::string_view more) {
  char text[96];
  const double share = all > 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(all) : 100.0;
  std::snprintf(text, sizeof text, "%5.1f%% %llu/%llu", share, static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(all));
  std::string line = text;
  if (rate > 0) {
    std::snprintf(text, sizeof text, "  %.2f ", rate);
    line += text + std::string(unit) + "/s";
    if (done < all) line += "  ETA " + format_seconds(static_cast<double>(all - done) / rate);
  }
  if (!more.empty()) line.append("  ").append(more);
  return line;
}

Progress::Progress(std::uint64_t all, std::string unit, std::uint64_t start)
    : all_(all), start_(start), unit_(std::move(unit)), began_(Clock::now()), drawn_(began_) {}

Progress::~Progress() {
  if (is_open_) write_stderr("\n");
}

void Progress::update(std::uint64_t done, std::string_view more) {
  if (is_quiet()) return;
  const auto now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - began_).count();
  const double since = std::chrono::duration<double>(now - drawn_).count();
  const bool redraws = is_terminal();
  const bool is_last = done >= all_ && is_open_;
  if (elapsed < kSilent || (!is_last && since < (redraws ? kRedraw : kPlain))) return;
  drawn_ = now;
  const double rate = done > start_ ? static_cast<double>(done - start_) / elapsed : 0;
  const std::string line = progress_line(done, all_, rate, unit_, more);
  if (redraws) {
    write_stderr("\r" + line + "\033[K");
    is_open_ = true;
  } else {
    write_stderr(line + "\n");
  }
}

}  // namespace frugal
