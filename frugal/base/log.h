// What the program says while it works: to stderr, so that stdout holds results alone.
#pragma once
#include <string_view>

namespace frugal {

void set_quiet(bool quiet);  // warnings and errors only
bool is_quiet();
bool is_terminal();  // stderr is one
bool use_color();    // a terminal, without NO_COLOR in the environment (no-color.org)

// `text` to stderr as it stands, in one write where the system takes it whole. Nothing comes of a stderr that is
// closed, full, or a pipe whose reader has gone: what is said of the work does not end it.
void write_stderr(std::string_view text);

void say(std::string_view line);  // plain text; nothing when quiet
void note(
    std::string_view line);  // "note: ..." for anything changed or chosen on the user's behalf; nothing when quiet
void warn(std::string_view line);  // "warning: ..." always

}  // namespace frugal
