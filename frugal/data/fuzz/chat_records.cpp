#include "frugal/data/chat_records.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "frugal/base/error.h"
#include "frugal/data/data_format.h"

// Records are read or refused and turned into conversations or refused, never a crash.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const frugal::ChatRecords records =
        frugal::parse_chat_records(std::string_view(reinterpret_cast<const char*>(data), size), "input");
    if (records.lists.size() != records.table.rows.size()) __builtin_trap();
    const frugal::DataFormat format = frugal::detect_format(records);
    for (std::size_t row = 0; row < records.table.rows.size(); ++row) frugal::conversation(records, row, format, true);
  } catch (const frugal::Error&) {
  }
  return 0;
}
