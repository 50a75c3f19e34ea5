// Ctrl-C once: a flag that long work looks at, to finish its step and save. Again: the process ends at once. What comes
// within half a second of the first is the same request: `timeout` and some shells signal a process and its group. A
// terminal that closes is such a request, too.
#pragma once

namespace frugal {

// Installs the handler for those of SIGINT, SIGTERM and SIGHUP that are not ignored (as under nohup); call before long
// work.
void catch_interrupts();
void interrupt_waiting_reads(bool yes);  // whether a read that waits for input then fails with EINTR; as installed: no
bool is_interrupted();
void throw_if_interrupted();  // Error(Exit::interrupted)
// Where FRUGAL_PARENT names the process that started this one: SIGINT when that ends, even by kill -9. Ends this one at
// once where it already has.
void end_with_parent();
void reset_interrupt();  // forgets a request and installs the handler again; for chat, and for tests

}  // namespace frugal
