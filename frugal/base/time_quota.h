// Whether a control group limits the time that this process may compute (cgroups(7)).
#pragma once
#include <string>
#include <vector>

namespace frugal {

// Where the limits of a process's group and of those above it may stand, in version 2 and 1, mounted where systemd
// does. cgroup: the text of /proc/self/cgroup; lines of other controllers, or that are none, name no file. In a
// container that sees the host's names, the container's own limit is at the root, and those of groups it makes below
// are not found.
std::vector<std::string> quota_files(const std::string& cgroup);

// Of such a file's text: cpu.max ("max 100000", or microseconds of so many) or cpu.cfs_quota_us (-1: none).
bool is_quota(const std::string& text);

bool has_time_quota();  // this process; false where the kernel does not say

}  // namespace frugal
