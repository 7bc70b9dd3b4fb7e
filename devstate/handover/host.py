# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The running kernel as procfs, sysfs and debugfs show it, and the reasons why it shows nothing.

Directories may stand in for /sys and /proc: what is asked is always below these two. What cannot be had is an ImageError that says which
file, why, and what to do about it.
"""

from __future__ import annotations

import os
import stat

from devstate.errors import ImageError
from devstate.handover.carrier import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.memory.debugfs import DebugfsDump
    from devstate.memory.open import Input

CONFIG_MAX = 1 << 24
"""Bytes of a kernel configuration that are read: real ones have a quarter of a megabyte."""

_OFF = ("0", "off", "n", "no", "false")
_ROOT = "run it as root; a container needs CAP_SYS_RAWIO and the host's /proc and /sys"


class Host:
    """``sys`` and ``proc`` are the directories that stand for /sys and /proc."""

    def __init__(self, sys: str = "/sys", proc: str = "/proc") -> None:
        self.sys = sys
        self.proc = proc
        self.debug = os.path.join(sys, "kernel/debug")
        self.kho = os.path.join(self.debug, "kho")
        self.kcore = os.path.join(proc, "kcore")

    @property
    def release(self) -> str | None:
        """The release of the running kernel."""
        return self._text(os.path.join(self.proc, "sys/kernel/osrelease")).strip() or None

    def configured(self, option: str) -> bool | None:
        """Whether the kernel was built with ``option``, such as ``CONFIG_DEBUG_FS``; None when /proc/config.gz does not say."""
        import zlib

        packed = read_file(os.path.join(self.proc, "config.gz"), CONFIG_MAX)
        if packed is None:
            return None
        try:
            text = zlib.decompressobj(wbits=31).decompress(packed, CONFIG_MAX)
        except zlib.error:
            return None
        return f"\n{option}=".encode() in b"\n" + text if text else None

    def lockdown(self) -> str | None:
        """What lockdown the kernel is in: ``integrity``, ``confidentiality``; None for none."""
        words = self._text(os.path.join(self.sys, "kernel/security/lockdown")).split()
        mode = next((word.strip("[]") for word in words if word.startswith("[")), "none")
        return None if mode == "none" else mode

    def enabled(self) -> bool | None:
        """What ``kho=`` on the command line says; None when it is not there."""
        words = self._text(os.path.join(self.proc, "cmdline")).split()
        values = [word[4:] for word in words if word.startswith("kho=")]
        return values[-1].lower() not in _OFF if values else None

    def _text(self, path: str) -> str:
        return (read_file(path) or b"").decode("ascii", "backslashreplace")

    def dumps(self) -> tuple[DebugfsDump, ...]:
        """What debugfs shows of each side; empty when it shows nothing."""
        from devstate.memory.debugfs import open_debugfs

        try:
            return open_debugfs(self.kho)[0] if os.path.isdir(self.kho) else ()
        except ImageError:
            return ()

    def nothing_shown(self) -> ImageError:
        """Why no handover is shown, the first reason that holds."""
        built = self.configured("CONFIG_KEXEC_HANDOVER")
        if built is False:
            text = f"the kernel {self.release or 'that runs'} was built without Kexec HandOver (CONFIG_KEXEC_HANDOVER)"
            return ImageError(text, source=os.path.join(self.proc, "config.gz"), advice="boot one that has it: 6.16 or later")
        try:
            names = os.listdir(self.debug)
        except FileNotFoundError:
            return ImageError("there is no debugfs", source=self.debug, advice="the kernel needs CONFIG_DEBUG_FS; or give --fdt PA")
        except OSError as error:
            return ImageError(f"cannot be read: {error.strerror}", source=self.debug, advice=_ROOT)
        if not names:
            mount = f"mount -t debugfs none {self.debug}"
            return ImageError("debugfs is not mounted", source=self.debug, advice=f"{mount}; or give the root FDT's address with --fdt PA")
        if "kho" not in names:
            return ImageError("this kernel shows no handover", source=self.kho, advice=self._switched_off())
        message = "no root FDT can be read here"
        return ImageError(message, source=self.kho, expected="out/fdt or in/fdt", advice=_ROOT)

    def _switched_off(self) -> str:
        if self.enabled() is False:
            return "it was booted with KHO switched off: boot it with kho=on"
        if self.configured("CONFIG_KEXEC_HANDOVER_DEBUGFS") is False:
            return "it was built without CONFIG_KEXEC_HANDOVER_DEBUGFS; give the root FDT's address with --fdt PA"
        if self.enabled() is None:
            return "boot it with kho=on; it needs CONFIG_KEXEC_HANDOVER and CONFIG_KEXEC_HANDOVER_DEBUGFS"
        return "it needs CONFIG_KEXEC_HANDOVER and CONFIG_KEXEC_HANDOVER_DEBUGFS"

    def memory(self) -> Input:
        """Physical memory through /proc/kcore. Segments that are no RAM are left out (devstate.memory.elf)."""
        from devstate.memory.open import open_input

        path = self.kcore
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            mode = os.fstat(fd).st_mode
            os.close(fd)
        except FileNotFoundError:
            advice = "the kernel needs CONFIG_PROC_KCORE; in a container, run it on the host"
            raise ImageError("there is no way to physical memory", source=path, advice=advice) from None
        except OSError as error:
            # Only this mode keeps root from kcore (security/lockdown); the read-only files of debugfs stay open in both.
            locked = self.lockdown() == "confidentiality"
            advice = "the kernel is locked down (confidentiality): boot with lockdown=integrity or none" if locked else _ROOT
            raise ImageError(f"physical memory cannot be read: {error.strerror}", source=path, advice=advice) from None
        if not stat.S_ISREG(mode):
            raise ImageError("is no file: something covers it", source=path, advice="containers mask it: run it on the host")
        return open_input(path)
