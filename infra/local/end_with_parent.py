"""Becomes a command that the kernel ends when whoever started it dies, even by SIGKILL; Linux only.

    python end_with_parent.py PARENT COMMAND [ARGUMENT ...]

A program of its own, since subprocess forks for a `preexec_fn`. In a process that has used gRPC a child forked so was seen to die before
it became anything, with an error of gRPC's poller in its log; presumably gRPC's own handlers ran in it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h

if __name__ == "__main__":
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit("whoever started this is gone already")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")
