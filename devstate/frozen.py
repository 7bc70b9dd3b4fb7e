# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""``@frozen``: plain immutable data classes that cost nothing to import.

The contract is that of ``dataclasses.dataclass(frozen=True, slots=True)``: fields come from the annotations, in order,
with defaults; equality, hash and repr are by value. The standard module costs one and a half interpreter start-ups to
import (it needs ``inspect``), more than a whole ``devstate check`` of a small handover may take: that is why this one exists.
Type checkers see it as a dataclass through ``dataclass_transform``. Defaults must be immutable values.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_: object):
        return lambda function: function


def _refuse(self: object, name: str, value: object = None) -> None:
    raise AttributeError(f"{type(self).__name__}.{name} is frozen; use devstate.frozen.replace() to make a changed copy")


@dataclass_transform(frozen_default=True)
def frozen(cls: type[T]) -> type[T]:
    """Return ``cls`` as an immutable, slotted value class whose fields are its annotations (bases' fields first)."""
    own = tuple(cls.__dict__.get("__annotations__", {}))  # noqa: RUF063 - inspect is the import to be avoided
    inherited = tuple(name for base in reversed(cls.__mro__[1:]) for name in base.__dict__.get("__slots__", ()))
    names = inherited + own
    defaults = {name: value for base in cls.__mro__[1:] for name, value in getattr(base, "_defaults", {}).items()}
    defaults |= {name: cls.__dict__[name] for name in own if name in cls.__dict__}

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        # Compiled when it is first called: most classes are never used in one run, and compiling is most of what a class costs.
        made.__init__ = _initializer(names, defaults)
        made.__init__(self, *given, **named)

    space = {k: v for k, v in cls.__dict__.items() if k not in (*own, "__dict__", "__weakref__")}
    space.update(
        __slots__=own, __init__=__init__, _defaults=defaults, _fields=names, __match_args__=names, __setattr__=_refuse,
        __delattr__=_refuse, __reduce__=_reduce,
    )  # fmt: skip
    space.setdefault("__repr__", _repr)
    if "__eq__" not in space:
        space.update(__eq__=_eq, __hash__=_hash)
    made: Any = type(cls)(cls.__name__, cls.__bases__, space)  # type: ignore[misc]  # a metaclass call that mypy cannot see through
    made.__qualname__ = cls.__qualname__
    kind: type[T] = made
    return kind


def _initializer(names: tuple[str, ...], defaults: dict[str, Any]) -> Any:
    """The function that sets the fields, written out as dataclasses do it. Names come from a class body."""
    parameters = ", ".join(f"{name}=_d[{name!r}]" if name in defaults else name for name in names)
    scope: dict[str, Any] = {"_d": defaults, "_set": object.__setattr__}
    body = "".join(f"\n _set(self, {name!r}, {name})" for name in names) or "\n pass"
    exec(f"def __init__(self, {parameters}):{body}", scope)
    return scope["__init__"]


def values(item: Any) -> tuple[Any, ...]:
    """The field values of a frozen object, in the order of its fields."""
    return tuple(getattr(item, name) for name in item._fields)


def replace(item: T, **changes: object) -> T:
    """A copy of a frozen object with some fields changed. TypeError for a name that is no field."""
    fields: dict[str, Any] = {name: getattr(item, name) for name in item._fields}  # type: ignore[attr-defined]  # set by frozen()
    make: Callable[..., T] = type(item)
    return make(**(fields | changes))


def _repr(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._fields)})"


def _eq(self: Any, other: object) -> Any:
    return values(self) == values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash((type(self), *values(self)))


def _reduce(self: Any) -> tuple[Any, ...]:
    return type(self), values(self)
