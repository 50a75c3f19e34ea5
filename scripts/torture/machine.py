"""What only root may do to a machine: small disks and limits of memory. Skipped says why it cannot be done here."""
import contextlib
import pathlib
import subprocess
import uuid


class Skipped(Exception):
    """This machine does not let us."""


@contextlib.contextmanager
def small_disk(folder, megabytes):
    """A file system of that size at `folder`; yields a function that makes it large."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        raise Skipped("no tmpfs can be mounted")
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@contextlib.contextmanager
def memory_group(limit):
    """A control group with that many bytes; yields what a shell does to join it. Version 1 or 2."""
    root = pathlib.Path("/sys/fs/cgroup")
    first = (root / "memory").is_dir()
    group = (root / "memory" if first else root) / f"frugal-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(limit))
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        raise Skipped(f"no control group of memory: {error.strerror}") from error
    try:
        yield f"echo $$ > {group}/cgroup.procs; "
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                group.rmdir()
            if not group.exists():
                break
