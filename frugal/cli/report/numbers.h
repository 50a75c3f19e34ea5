// The numbers of a run for other programs: rows of a table, or event files of TensorBoard.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "frugal/cli/report/run_record.h"

namespace frugal::report {

// A row for each step and each evaluation, by rising step: {"run", "kind": "step" or "eval", "data", "step", ...}.
std::vector<Json> rows_of(const RunRecord& run);

// TensorBoard's reader takes it: TFRecords (length, masked CRC-32C of it, bytes, masked CRC-32C of them) of Event
// messages with scalars "train/loss", "dev/accuracy", ...; the clock is that of the run.
std::string tensorboard_events(const RunRecord& run);

// CRC-32C (RFC 3720, appendix B.4).
std::uint32_t crc32c(std::string_view bytes);

}  // namespace frugal::report
