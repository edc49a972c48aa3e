"""One process meter: what a command and its children take, seen from outside. Linux gives all figures, macOS no I/O."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measured(command, kill_when=None, **options):
    """Runs a command to its end; its output, and the figures. A command that fails ends the suite.

    With `kill_when`, it is killed as soon as that says so, which is asked all the time.

    `peak_mb` cannot be less than what this process itself takes (a child starts as its copy), which is why nothing here
    holds Items in memory. `read_mb` and `written_mb` count all bytes that went through read and write calls, from the page
    cache or not; `disk_read_mb` what the disk had to give, memory maps included.
    """
    # What earlier runs wrote is not for this one to wait for.
    os.sync()
    started = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=errors, **options)
        # Ended, but not yet reaped: its counters are still there.
        ended = os.WEXITED | os.WNOWAIT
        while kill_when and not os.waitid(os.P_PID, process.pid, ended | os.WNOHANG):
            if kill_when():
                process.kill()
                break
            time.sleep(0.005)
        os.waitid(os.P_PID, process.pid, ended)
        wall = time.monotonic() - started
        counters = io(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0), errors.seek(0)
        if process.returncode and not (kill_when and process.returncode == -signal.SIGKILL):
            words = " ".join(str(word) for word in command)
            sys.exit(f"this failed: {words[:500]}\n{errors.read().decode(errors='replace')[-3000:]}")
        text = output.read().decode()
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    figures = {
        "wall_s": round(wall, 4),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 4),
        "user_s": round(usage.ru_utime, 4),
        "system_s": round(usage.ru_stime, 4),
        "peak_mb": round(usage.ru_maxrss * unit / 1e6, 1),
    }
    return text, figures | counters


def io(process):
    """Bytes read and written by a process and the children that it waited for (proc_pid_io(5))."""
    names = {"rchar": "read_mb", "wchar": "written_mb", "read_bytes": "disk_read_mb", "write_bytes": "disk_written_mb"}
    try:
        lines = Path(f"/proc/{process}/io").read_text().splitlines()
    except OSError:
        return {}
    counters = dict(line.split(": ") for line in lines)
    return {name: round(int(counters[counter]) / 1e6, 2) for counter, name in names.items()}


def forget(folder):
    """Takes the files below a folder out of the page cache, of which no other file loses anything; needs no rights."""
    if not hasattr(os, "posix_fadvise"):
        sys.exit("files cannot be taken out of the page cache here; --skip-disk leaves these runs out")
    os.sync()
    for path in Path(folder).rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def log(text):
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)
