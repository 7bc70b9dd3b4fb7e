# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is rehearsed: a TOML file, closed vocabulary, every error with its line and what to do.

::

    name = "small guest"
    kernels = ["7.3", "7.3"]       # what the old one writes, what the new ones are: one more for each hop
    policy = "rfc"                 # whose rules: the RFC's orchestrator; or "merged": sessions and files
    jump = "exec"                  # the old kernel replaces itself; or "kill": it is killed before the new one starts
    memory = "32M"                 # of the machine; the guest has half of it
    vcpus = 2
    kvm = false                    # whether the vCPUs are those of a virtual machine of this host
    sessions = 0                   # more sessions, of one small file each
    schemas = ["mine.py"]          # formats of your own drivers; path = ["."] is where their modules are
    preflight = "off"              # look before anything is done: "refuse", or "drop" devices that stand in the way, or "rederive"
    iommu = "vtd"                  # what the devices are behind: or "amd", "smmuv3"
    stage = "second"               # whose page tables: or "first", with PASID 0 or a context
    tables = "in-place"            # the new kernel believes the page tables in memory; or "packed": holds them against streams of them
    expect = "updated"             # how it must end: or "refused", "held" (by the pre-flight)

    [[devices]]
    name = "nvme0"
    parent = "port0"               # no parent: below the root
    slots = 64                     # stamps that it keeps in memory
    drivers = [1, 1]               # version of its driver in each kernel
    driver = "module:Class"        # a driver of your own (devstate.rehearsal.drivers), else one that comes with devstate
    reclaim = true                 # whether user space takes it back

    [budgets]                      # microseconds that one callback may take
    freeze = 50000
"""

from __future__ import annotations

import os
import re
import tomllib

from devstate.errors import UsageError
from devstate.frozen import frozen
from devstate.layout.release import parse_release
from devstate.rehearsal.units.kinds import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCENARIO_MAX = 1 << 20
"""Bytes of a scenario."""

DEVICES_MAX = 512
"""Devices of a rehearsal: two for each entry of one page of interrupt remapping entries."""

HOPS_MAX = 8
MEMORY_MIN, MEMORY_MAX = 8 << 20, 1 << 36
JUMPS = ("exec", "kill")
POLICIES = ("rfc", "merged")
ENDS = ("updated", "refused", "held")
PREFLIGHT = ("off", "refuse", "drop", "rederive")
STAGES = ("second", "first")
TABLES = ("in-place", "packed")
SESSIONS_MAX = 1024
VERSION_MAX = 99
OPS = (
    "prepare", "freeze", "cancel", "restore", "rederive", "finish",
    "can_preserve", "get_id", "preserve", "unpreserve", "unfreeze", "retrieve", "can_finish",
)  # fmt: skip
"""Callbacks that can have a budget: those of the RFC, and what handlers have beside them. A scenario may be for both policies."""

MERGED_SINCE = (7, 0)
"""The first release whose handover has shared objects: the handlers of a rehearsal need them."""

TOP = (
    "name", "kernels", "jump", "memory", "vcpus", "devices", "budgets", "seed", "sessions", "expect", "kvm", "preflight", "schemas", "path",
    "iommu", "stage", "tables", "policy",
)  # fmt: skip
DEVICE = ("name", "parent", "slots", "drivers", "driver", "reclaim", "requested")
_SUFFIXES = {"K": 10, "M": 20, "G": 30}


@frozen
class DevicePlan:
    """One device. A device without ``slots`` does no DMA: it is a bridge."""

    name: str
    parent: str | None = None
    slots: int = 64
    drivers: tuple[int, ...] = ()
    reclaim: bool = True
    requested: bool = True
    driver: str | None = None


@frozen
class Scenario:
    """``kernels`` are releases, the first one boots cold. ``budgets`` are nanoseconds by op. ``schemas`` are files or packages with formats
    of the drivers, ``path`` where modules of these are found: relative to the scenario's folder in its file, absolute in here.
    """

    name: str
    kernels: tuple[str, ...] = ("7.3", "7.3")
    jump: str = "exec"
    memory: int = 32 << 20
    vcpus: int = 1
    devices: tuple[DevicePlan, ...] = ()
    budgets: tuple[tuple[str, int], ...] = ()
    seed: int = 1
    sessions: int = 0
    expect: str = "updated"
    kvm: bool = False
    preflight: str = "off"
    schemas: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    iommu: str = "vtd"
    stage: str = "second"
    tables: str = "in-place"
    policy: str = "rfc"


def to_plain(scenario: Scenario) -> dict[str, Any]:
    """The scenario as plain data, for another process."""
    values = {field: getattr(scenario, field) for field in TOP if field not in ("devices", "budgets")}
    devices = [{field: getattr(each, field) for field in DEVICE} for each in scenario.devices]
    return values | {"devices": devices, "budgets": [list(each) for each in scenario.budgets]}


def from_plain(plain: dict[str, Any]) -> Scenario:
    """What :func:`to_plain` made, as it comes out of JSON."""
    devices = tuple([DevicePlan(**(each | {"drivers": tuple(each["drivers"])})) for each in plain["devices"]])
    budgets = tuple([(op, limit) for op, limit in plain["budgets"]])
    texts = {key: tuple(plain[key]) for key in ("kernels", "schemas", "path")}
    return Scenario(**(plain | texts | {"devices": devices, "budgets": budgets}))


def read_scenario(path: str, policy: str | None = None) -> Scenario:
    """The scenario in a file, by another policy if one is given. UsageError, with line and hint, for one that cannot be."""
    try:
        with open(path, "rb") as file:
            data = file.read(SCENARIO_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > SCENARIO_MAX:
        raise UsageError(f"{path}: larger than {SCENARIO_MAX} bytes: this is no scenario")
    try:
        text = data.decode()
        plain = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    return _Reader(path, text).scenario(plain if policy is None else plain | {"policy": policy})


class _Reader:
    """Takes plain data apart, and knows where it stands."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()

    def scenario(self, plain: dict[str, Any]) -> Scenario:
        self.known(plain, TOP, None)
        kernels = self.texts(plain, "kernels", ("7.3", "7.3"))
        if not 2 <= len(kernels) <= HOPS_MAX + 1:
            raise self.error("kernels", f"expected 2 to {HOPS_MAX + 1} releases: the old kernel, and one for each jump")
        for each in kernels:
            release = parse_release(each)
            if release is None:
                raise self.error("kernels", f"{each!r} is no kernel release, such as 7.3")
            if plain.get("policy") == "merged" and (release.major, release.minor) < MERGED_SINCE:
                text = f"kernel {each} has no shared objects, which the policy merged needs: 7.0 or later, or policy = 'rfc'"
                raise self.error("policy", text)
        devices = plain.get("devices", [])
        if not isinstance(devices, list) or not all(isinstance(each, dict) for each in devices) or len(devices) > DEVICES_MAX:
            raise self.error("devices", f"expected at most {DEVICES_MAX} tables [[devices]]")
        budgets = plain.get("budgets", {})
        if not isinstance(budgets, dict):
            raise self.error("budgets", "expected a table [budgets]")
        self.known(budgets, OPS, "budgets")
        made = Scenario(
            self.text(plain, "name", "rehearsal"),
            kernels,
            self.choice(plain, "jump", JUMPS),
            self.size(plain),
            self.number(plain, "vcpus", 1, 1, 64),
            tuple([self.device(each, len(kernels)) for each in devices]),
            tuple([(op, 1000 * self.number(budgets, op, 0, 1, 1 << 40)) for op in budgets]),
            self.number(plain, "seed", 1, 0, (1 << 63) - 1),
            self.number(plain, "sessions", 0, 0, SESSIONS_MAX),
            self.choice(plain, "expect", ENDS),
            self.truth(plain, "kvm", False),
            self.choice(plain, "preflight", PREFLIGHT),
            self.paths(plain, "schemas", ()),
            self.paths(plain, "path", (".",)),
            self.choice(plain, "iommu", tuple(KINDS)),
            self.choice(plain, "stage", STAGES),
            self.choice(plain, "tables", TABLES),
            self.choice(plain, "policy", POLICIES),
        )
        self.interrupts(made)
        self.tree(made)
        return made

    def device(self, plain: dict[str, Any], kernels: int) -> DevicePlan:
        self.known(plain, DEVICE, "devices")
        name = self.text(plain, "name", "")
        if not name or "/" in name:
            raise self.error("name", "each device has a name without slashes", devices=True)
        drivers = plain.get("drivers", [1] * kernels)
        if not isinstance(drivers, list) or len(drivers) != kernels or not all(each in range(1, VERSION_MAX + 1) for each in drivers):
            raise self.error("drivers", f"{name}: expected {kernels} versions, each 1 to {VERSION_MAX}: one for each kernel")
        driver = plain.get("driver")
        if driver is not None and (not isinstance(driver, str) or ":" not in driver):
            raise self.error("driver =", f"{name}: the driver is a text module:Class")
        parent = plain.get("parent")
        if parent is not None and not isinstance(parent, str):
            raise self.error("parent", f"{name}: the parent is the name of a device")
        slots = self.number(plain, "slots", 64, 0, 4096)
        reclaim, requested = self.truth(plain, "reclaim"), self.truth(plain, "requested")
        return DevicePlan(name, parent, slots, tuple(drivers), reclaim, requested, driver)

    def tree(self, scenario: Scenario) -> None:
        """Every parent is there, and nobody is their own ancestor."""
        parents = {each.name: each.parent for each in scenario.devices}
        if len(parents) != len(scenario.devices):
            names = [each.name for each in scenario.devices]
            twice = next(name for name in names if names.count(name) > 1)
            raise self.error(f'"{twice}"', f"two devices are called {twice}")
        for name in parents:
            seen, at = [name], parents[name]
            while at is not None:
                if at not in parents:
                    raise self.error(f'"{at}"', f"{seen[-1]}: there is no device {at} that could be its parent")
                if at in seen:
                    raise self.error(f'"{at}"', f"the devices {' -> '.join([*seen, at])} lead in a circle")
                seen.append(at)
                at = parents[at]

    def interrupts(self, scenario: Scenario) -> None:
        """Each device that does DMA has an interrupt of its own."""
        most = KINDS[scenario.iommu].places(scenario.vcpus)
        if sum(bool(each.slots) for each in scenario.devices) > most:
            raise self.error("vcpus", f"{scenario.vcpus} processors take the interrupts of {most} devices: more of them, or more bridges")

    def known(self, plain: dict[str, Any], keys: tuple[str, ...], table: str | None) -> None:
        import difflib

        for key in plain:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(keys)}"
                raise self.error(key, f"unknown key {key!r}{f' in {table}' if table else ''}; {hint}")

    def text(self, plain: dict[str, Any], key: str, default: str) -> str:
        value = plain.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"{key} is a text")
        return value

    def texts(self, plain: dict[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = plain.get(key, list(default))
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.error(key, f"{key} is a list of texts")
        return tuple(value)

    def paths(self, plain: dict[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        folder = os.path.dirname(os.path.abspath(self.path))
        return tuple([os.path.normpath(os.path.join(folder, each)) for each in self.texts(plain, key, default)])

    def choice(self, plain: dict[str, Any], key: str, words: tuple[str, ...]) -> str:
        value = self.text(plain, key, words[0])
        if value not in words:
            raise self.error(key, f"{key} is one of {', '.join(words)}, not {value!r}")
        return value

    def number(self, plain: dict[str, Any], key: str, default: int, least: int, most: int) -> int:
        value = plain.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or (key in plain and not least <= value <= most):
            raise self.error(key, f"{key} is a number from {least} to {most}, not {value!r}")
        return value

    def truth(self, plain: dict[str, Any], key: str, default: bool = True) -> bool:
        value = plain.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"{key} is true or false")
        return value

    def size(self, plain: dict[str, Any]) -> int:
        text = plain.get("memory", "32M")
        found = re.fullmatch(r"(\d{1,12})([KMG]?)", text) if isinstance(text, str) else None
        size = int(found[1]) << _SUFFIXES.get(found[2], 0) if found else -1
        if not MEMORY_MIN <= size <= MEMORY_MAX or size % (2 << 20):
            raise self.error("memory", f"memory is a text such as '32M': {MEMORY_MIN >> 20}M to {MEMORY_MAX >> 30}G, a multiple of 2M")
        return size

    def error(self, word: str, message: str, *, devices: bool = False) -> UsageError:
        """An error at the first line that has a word."""
        start = next((at for at, line in enumerate(self.lines) if "[[devices]]" in line), 0) if devices else 0
        line = next((at + 1 for at, text in enumerate(self.lines) if at >= start and word in text), None)
        return UsageError(f"{self.path}:{line}: {message}" if line else f"{self.path}: {message}")
