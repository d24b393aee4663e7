"""A machine clock that jumps: for processes started with it, the time of day is moved; all else is the machine's.

A small library, compiled here and preloaded, adds an offset to what the C library says of the time of day. Python,
SQLite, OpenSSL and Mosquitto ask it. The monotonic clock is not moved, because the kernel does not move it either when
the time of day is set.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

OFFSET_FILE = "SSMIC_TEST_CLOCK_OFFSET"
"""Environment variable that names the file with the offset, seconds as a native 64-bit integer."""

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *offset(void) {
    static volatile int64_t *mapped;
    static int64_t none;
    if (!mapped) {
        const char *name = getenv("SSMIC_TEST_CLOCK_OFFSET");
        int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        void *found = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
        mapped = found == MAP_FAILED ? &none : (volatile int64_t *)found;
    }
    return mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset();
    return failed;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
"""


class MachineClock:
    """The time of day of all processes that are started with `environment`."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "clock-offset"
        self._offset.write_bytes(struct.pack("q", 0))
        self._library = folder / "machine_clock.so"
        self.offset_s = 0
        compiler = shutil.which("cc") or shutil.which("gcc")
        self.can_jump = compiler is not None
        if compiler is not None:
            source = folder / "machine_clock.c"
            source.write_text(_SOURCE)
            command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source), "-ldl"]
            subprocess.run(command, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see the time of this clock."""
        return {"LD_PRELOAD": str(self._library), OFFSET_FILE: str(self._offset)} if self.can_jump else {}

    def jump(self, by_s: int) -> None:
        """Set the clock forward, or back."""
        self.offset_s += by_s
        with self._offset.open("r+b") as file:
            file.write(struct.pack("q", self.offset_s))
