// frugal report --serve: pages of runs for a browser on this machine, as the runs are when they are asked for.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace frugal {

struct ServeOptions {
  std::filesystem::path folder;  // a run, or what holds runs
  std::int64_t port = 0;         // 0: any that is free
  // Called once, when pages can be asked for: with "http://127.0.0.1:8080/".
  std::function<void(const std::string& url)> started = {};
};

// Until an interrupt. On 127.0.0.1 alone; what is asked for must be a run that was found below the folder, by a browser
// that was sent to this address (another name that a page elsewhere points here is refused). Nothing is written. The
// page of a run that is running asks to be loaded again every few seconds. Error(Exit::input): the port is taken.
void serve_reports(const ServeOptions& options);

}  // namespace frugal
