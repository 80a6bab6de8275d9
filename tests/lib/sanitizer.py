"""sanitizer.py - libraries built with the sanitizers, in Python's process."""

import os
import subprocess
import sys


def is_sanitized(library):
    """Was it built with the sanitizers (`make asan`)?"""
    return library.exists() and b'__asan_init' in library.read_bytes()


def preload(library):
    """Begin again, with the library that a sanitized one must find loaded.
    Python leaks by design, so what leaks is for the programs in C to tell."""
    if (not is_sanitized(library)
            or 'libasan' in os.environ.get('LD_PRELOAD', '')):
        return
    path = subprocess.run(['gcc', '-print-file-name=libasan.so'], check=True,
                          text=True, stdout=subprocess.PIPE).stdout.strip()
    options = os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
    os.execve(sys.executable, [sys.executable, *sys.argv], {
        **os.environ, 'LD_PRELOAD': path, 'ASAN_OPTIONS': options})
