"""A timer that ends the process with a chosen status, whatever Python is doing.

rclpy destroys its handles with Python's lock held. Where the middleware hangs in that, neither a
thread nor a signal handler of Python ever runs again; a timer of the C library does (timer_create
with SIGEV_THREAD, POSIX.1-2017).
"""

from __future__ import annotations

import ctypes
import math
import os
import time

_SIGEV_THREAD = 2
_SIGEVENT_BYTES = 64  # of <bits/types/sigevent_t.h> in the GNU C library


class _SigEvent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("padding", ctypes.c_char * (_SIGEVENT_BYTES - 32)),
    )


class _TimerSpec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class ExitTimer:
    """Ends the process after a time, without any clean-up, unless it is cancelled before."""

    def __init__(self, after_s: float, status: int) -> None:
        """Start the timer; `status` is the exit status, 0 to 255.

        Raises:
            OSError: if the system refuses the timer.
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer = ctypes.c_void_p()
        event = _SigEvent(
            value=status,
            notify=_SIGEV_THREAD,
            function=ctypes.cast(self._libc._exit, ctypes.c_void_p),
        )
        fraction_s, whole_s = math.modf(after_s)
        spec = _TimerSpec(value_s=int(whole_s), value_ns=int(fraction_s * 1e9))
        made = self._libc.timer_create(
            time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer)
        )
        if made or self._libc.timer_settime(self._timer, 0, ctypes.byref(spec), None):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def cancel(self) -> None:
        """Let the process go on."""
        self._libc.timer_delete(self._timer)
