#include <cstddef>
#include <cstdint>
#include <string_view>

#include "frugal/base/error.h"
#include "frugal/formats/records/records.h"

// The first byte chooses the format; whatever follows is read or refused, never a crash.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto format = static_cast<frugal::RecordFormat>(data[0] % 3);
  try {
    const frugal::Records records = frugal::parse_records(text, format, "input");
    for (std::size_t row = 0; row < records.rows.size(); ++row) {
      for (const auto& [column, value] : records.rows[row].values) {
        if (&records.text(row, column) != &value) __builtin_trap();
      }
    }
  } catch (const frugal::Error&) {
  }
  return 0;
}
