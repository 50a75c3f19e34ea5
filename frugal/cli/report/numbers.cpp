#include "frugal/cli/report/numbers.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>

namespace frugal::report {
namespace {

// ---- protocol buffers: fields of a message ----

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
template <class T>
void put_fixed(std::string& out, T value) {  // little-endian, as the machines that this runs on
  static_assert(std::endian::native == std::endian::little);
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}
void put_key(std::string& out, std::uint32_t field, std::uint32_t wire_type) {
  put_varint(out, field << 3 | wire_type);
}
void put_text(std::string& out, std::uint32_t field, std::string_view text) {
  put_key(out, field, 2);
  put_varint(out, text.size());
  out += text;
}

void put_record(std::string& out, const std::string& event) {
  const auto masked = [](std::string_view bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
  };
  std::string length;
  put_fixed(length, std::uint64_t{event.size()});
  out += length;
  put_fixed(out, masked(length));
  out += event;
  put_fixed(out, masked(event));
}

// tensorflow.Event: wall_time = 1, step = 2, file_version = 3, summary = 5 { value = 1 { tag = 1, simple_value = 2 } }.
std::string event_of(double seconds, double step) {
  std::string event;
  put_key(event, 1, 1);
  put_fixed(event, seconds);
  put_key(event, 2, 0);
  put_varint(event, static_cast<std::uint64_t>(std::max(0.0, step)));
  return event;
}

// Seconds since 1970 of "2026-01-02T03:04:05Z"; 0: it is no time.
double seconds_of(const std::string& utc) {
  tm parts{};
  return ::strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr ? 0 : static_cast<double>(::timegm(&parts));
}

bool is_number_of_run(const std::string& key) {  // and no column of the rows
  constexpr std::string_view kOwn[] = {"step", "event", "run", "kind", "data"};
  return std::find(std::begin(kOwn), std::end(kOwn), key) == std::end(kOwn);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0x82F63B78u : 0);
    }
    return t;
  }();
  std::uint32_t sum = ~0u;
  for (const char c : bytes) sum = sum >> 8 ^ table[(sum ^ static_cast<unsigned char>(c)) & 255];
  return ~sum;
}

std::vector<Json> rows_of(const RunRecord& run) {
  std::map<double, Json> steps;
  for (const auto& [key, curve] : run.steps) {
    for (std::size_t i = 0; i < curve.size(); ++i) {
      Json& row = steps[curve.x[i]];
      if (row.is_null())
        row = {{"run", run.name}, {"kind", "step"}, {"data", ""}, {"step", static_cast<std::int64_t>(curve.x[i])}};
      if (is_number_of_run(key)) row[key] = curve.y[i];
    }
  }
  std::vector<Json> rows;
  for (auto& [step, row] : steps) rows.push_back(std::move(row));
  for (const Evaluation& evaluation : run.evaluations) {
    Json row = {{"run", run.name},
                {"kind", "eval"},
                {"data", evaluation.data},
                {"step", static_cast<std::int64_t>(evaluation.step)}};
    for (const auto& [key, value] : evaluation.values) {
      if (is_number_of_run(key)) row[key] = value;
    }
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Json& a, const Json& b) { return a["step"].get<double>() < b["step"].get<double>(); });
  return rows;
}

std::string tensorboard_events(const RunRecord& run) {
  const double began = seconds_of(text_at(run.record, {"created"}));
  std::string file, version = event_of(began, 0);
  put_text(version, 3, "brain.Event:2");
  put_record(file, version);
  for (const Json& row : rows_of(run)) {
    const bool is_step = row["kind"] == "step";
    const std::string prefix = is_step ? "train/" : row["data"].get<std::string>() + "/";
    std::string summary;
    for (const auto& [key, value] : row.items()) {
      if (!value.is_number() || key == "step" || key == "seconds") continue;
      std::string scalar;
      put_text(scalar, 1, prefix + key);
      put_key(scalar, 2, 5);
      put_fixed(scalar, static_cast<float>(value.get<double>()));
      put_text(summary, 1, scalar);
    }
    std::string event = event_of(began + row.value("seconds", 0.0), row["step"].get<double>());
    put_text(event, 5, summary);
    put_record(file, event);
  }
  return file;
}

}  // namespace frugal::report
