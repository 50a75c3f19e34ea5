// How the program ends where no catch block is: with an error and what to do instead of a signal.
//
// A file that is mapped and becomes shorter, or whose disk goes away: reading what is gone raises SIGBUS. An exception
// in a thread or while a library starts, as of memory that is not there: std::terminate. Where the address space is
// limited (ulimit -v), a library that took memory for granted: SIGSEGV or SIGABRT. Runs go on from their last snapshot.
#pragma once

namespace frugal {

void leave_last_words(bool json);  // installs the handlers; json: the error is an object on stdout

}  // namespace frugal
