"""A pickle machine that builds plain data and calls only what a whitelist names."""

from __future__ import annotations

import reprlib
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Callable
from pickle import UnpicklingError, decode_long
from typing import Any

from . import _pth_names as _names
from ._pth_storage import _rebuild_tensor
from .nn.parameter import Parameter
from .tensor import Tensor

_NEVER = ("sys", "os", "posix", "nt")  # not even when the user allows something in them
_BASIC = (OrderedDict, Counter)
_CODES: dict[int, Callable[[Any], None]] = {}
_MISSING: Any = object()


def _code(*codes: int | bytes) -> Callable[[Any], Any]:
    """The decorated method runs these opcodes."""

    def register(f: Any) -> Any:
        for c in codes:
            _CODES[c if isinstance(c, int) else c[0]] = f
        return f

    return register


def _number(fmt: str) -> Callable[[Any], Any]:
    s = struct.Struct(fmt)
    return lambda self: s.unpack(self.read(s.size))[0]


_u1, _u2, _u4, _u8 = map(_number, ("<B", "<H", "<I", "<Q"))
_i4, _f8 = map(_number, ("<i", ">d"))


class Stack:
    """The pickle machine: a stack, marks and a memo.  What it may do is up to the subclass."""

    def __init__(self, file: Any, *, encoding: str = "utf-8") -> None:
        self._file, self.encoding = file, encoding
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """Run one pickle.  Raises UnpicklingError for one that is damaged or not allowed."""
        try:
            return self._run()
        except RecursionError:
            raise UnpicklingError("the pickle is nested too deeply") from None
        except (UnpicklingError, RuntimeError):
            raise
        except MemoryError:
            raise UnpicklingError("the pickle asks for more memory than there is") from None
        except Exception as e:
            raise UnpicklingError(
                f"the pickle is damaged or not one of weights ({type(e).__name__}: {e})"
            ) from None

    def _run(self) -> Any:
        codes = _CODES
        while True:
            code = self._file.read(1)
            if not code:
                raise UnpicklingError("Ran out of input: the file is cut off")
            if code == b".":
                return self.stack.pop()
            step = codes.get(code[0])
            if step is None:
                raise UnpicklingError(f"Unsupported operand {code[0]}")
            step(self)

    def read(self, n: int) -> bytes:
        """Exactly n bytes."""
        data: bytes = self._file.read(n)
        if len(data) != n:
            raise UnpicklingError("Ran out of input: the file is cut off")
        return data

    def line(self) -> str:
        """Text up to a newline."""
        data: bytes = self._file.readline()
        if data[-1:] != b"\n":
            raise UnpicklingError("Ran out of input: the file is cut off")
        return data[:-1].decode("utf-8")

    def push(self, x: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(x)

    def marked(self) -> list[Any]:
        """What lies above the last mark, taken off."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def find(self, module: str, name: str) -> Any:
        """The object behind a global."""
        raise NotImplementedError

    def call(self, function: Any, args: Any) -> Any:
        """REDUCE."""
        raise NotImplementedError

    def make(self, cls: Any, args: Any, kwargs: Any) -> Any:
        """NEWOBJ."""
        raise NotImplementedError

    def build(self, instance: Any, state: Any) -> None:
        """BUILD."""
        raise NotImplementedError

    def persistent(self, pid: Any) -> Any:
        """BINPERSID."""
        raise NotImplementedError

    def extend(self, target: Any, items: list[Any], what: str) -> None:
        """APPEND and APPENDS."""
        raise NotImplementedError

    def update(self, target: Any, items: list[Any], what: str) -> None:
        """SETITEM and SETITEMS: keys and values by turns."""
        raise NotImplementedError

    # --- opcodes --------------------------------------------------------------------------------

    @_code(b"\x80")
    def _proto(self) -> None:
        self.read(1)

    @_code(b"\x95")
    def _frame(self) -> None:
        self.read(8)

    @_code(b"(")
    def _mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    @_code(b"0")
    def _pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.marked()

    @_code(b"1")
    def _pop_mark(self) -> None:
        self.marked()

    @_code(b"2")
    def _dup(self) -> None:
        self.push(self.stack[-1])

    @_code(b"c")
    def _global(self) -> None:
        module, name = self.line(), self.line()
        if (module, name) in NAME_MAPPING:
            module, name = NAME_MAPPING[module, name]
        self.push(self.find(IMPORT_MAPPING.get(module, module), name))

    @_code(b"\x93")
    def _stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise UnpicklingError("STACK_GLOBAL requires str")
        self.push(self.find(module, name))

    @_code(b"R")
    def _reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], args)

    @_code(b"\x81")
    def _newobj(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self.make(self.stack[-1], args, {})

    @_code(b"\x92")
    def _newobj_ex(self) -> None:
        kwargs, args = self.stack.pop(), self.stack.pop()
        self.stack[-1] = self.make(self.stack[-1], args, kwargs)

    @_code(b"b")
    def _build(self) -> None:
        state = self.stack.pop()
        self.build(self.stack[-1], state)

    @_code(b"Q")
    def _binpersid(self) -> None:
        self.push(self.persistent(self.stack.pop()))

    @_code(b"a")
    def _append(self) -> None:
        item = self.stack.pop()
        self.extend(self.stack[-1], [item], "append to")

    @_code(b"e")
    def _appends(self) -> None:
        items = self.marked()
        self.extend(self.stack[-1], items, "extend")

    @_code(b"s")
    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.update(self.stack[-1], [key, value], "SETITEM")

    @_code(b"u")
    def _setitems(self) -> None:
        items = self.marked()
        self.update(self.stack[-1], items, "SETITEMS")

    @_code(b"\x90")
    def _additems(self) -> None:
        items = self.marked()
        if type(self.stack[-1]) is set:
            self.stack[-1].update(map(_names.key, items))

    @_code(b"\x91")
    def _frozenset(self) -> None:
        self.push(frozenset(map(_names.key, self.marked())))

    @_code(b"t")
    def _tuple(self) -> None:
        items = self.marked()
        self.push(tuple(items))

    @_code(b"l")
    def _list(self) -> None:
        items = self.marked()
        self.push(items)

    @_code(b"d")
    def _dict(self) -> None:
        items = self.marked()
        self.push(dict(zip(map(_names.key, items[::2]), items[1::2], strict=True)))


def _constants() -> None:
    for code, value in ((b"N", None), (b"\x88", True), (b"\x89", False), (b")", ())):
        _CODES[code[0]] = lambda self, value=value: self.push(value)
    for code, kind in ((b"]", list), (b"}", dict), (b"\x8f", set)):
        _CODES[code[0]] = lambda self, kind=kind: self.push(kind())
    for code, n in ((b"\x85", 1), (b"\x86", 2), (b"\x87", 3)):
        _CODES[code[0]] = lambda self, n=n: _short_tuple(self, n)


def _short_tuple(self: Stack, n: int) -> None:
    if len(self.stack) < n:
        raise UnpicklingError("the stack is too short for a tuple")
    self.stack[-n:] = [tuple(self.stack[-n:])]


def _numbers() -> None:
    plain = {b"J": _i4, b"K": _u1, b"M": _u2, b"G": _f8}
    plain[b"F"] = lambda self: float(self.line())
    plain[b"I"] = lambda self: _old_int(self.line())
    plain[b"L"] = lambda self: int(self.line().rstrip("L"))
    plain[b"\x8a"] = lambda self: decode_long(self.read(_u1(self)))
    plain[b"\x8b"] = lambda self: decode_long(self.read(_i4(self)))
    for code, value in plain.items():
        _CODES[code[0]] = lambda self, value=value: self.push(value(self))


def _old_int(text: str) -> int | bool:
    return {"00": False, "01": True}[text] if text in ("00", "01") else int(text)


def _texts() -> None:
    def text(width: Any) -> Any:
        return lambda self: str(self.read(width(self)), "utf-8", "surrogatepass")

    def old(width: Any) -> Any:
        def read(self: Stack) -> Any:
            data = self.read(width(self))
            return data if self.encoding == "bytes" else data.decode(self.encoding)

        return read

    def raw(width: Any) -> Any:
        return lambda self: self.read(width(self))

    table = {
        b"X": text(_u4), b"\x8c": text(_u1), b"\x8d": text(_u8), b"U": old(_u1), b"T": old(_u4),
        b"B": raw(_u4), b"C": raw(_u1), b"\x8e": raw(_u8),
        b"\x96": lambda self: bytearray(self.read(_u8(self))),
        b"V": lambda self: self.line().encode().decode("raw-unicode-escape"),
    }  # fmt: skip
    for code, value in table.items():
        _CODES[code[0]] = lambda self, value=value: self.push(value(self))


def _memo() -> None:
    for code, width in ((b"q", _u1), (b"r", _u4), (b"p", lambda self: int(self.line()))):
        _CODES[code[0]] = lambda self, width=width: _memo_put(self, width(self))
    for code, width in ((b"h", _u1), (b"j", _u4), (b"g", lambda self: int(self.line()))):
        _CODES[code[0]] = lambda self, width=width: _memo_get(self, width(self))
    _CODES[0x94] = lambda self: _memo_put(self, len(self.memo))


def _memo_put(self: Stack, i: int) -> None:
    self.memo[i] = self.stack[-1]


def _memo_get(self: Stack, i: int) -> None:
    found = self.memo.get(i, _MISSING)
    if found is _MISSING:
        raise UnpicklingError(f"Memo value not found at index {i}")
    self.push(found)


_constants()
_numbers()
_texts()
_memo()


class WeightsUnpickler(Stack):
    """Tensors, numbers, text and containers, and what the user declared safe; nothing else."""

    def __init__(
        self,
        file: Any,
        persistent_load: Callable[[Any], Any] | None = None,
        safe: dict[str, Any] | None = None,
        encoding: str = "utf-8",
        size: int = 0,
    ) -> None:
        super().__init__(file, encoding=encoding)
        self._copied, self._limit = 0, 4 * size + (1 << 20)
        self._persistent_load, self._safe = persistent_load, safe or {}
        self._found: dict[int, Any] = {}  # globals of this file, by id: what may be called

    def find(self, module: str, name: str) -> Any:
        path = f"{module}.{name}"
        if module in _NEVER:
            raise UnpicklingError(
                f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked."
            )
        found = _names.allowed().get(path, _MISSING)
        if found is _MISSING:
            found = self._safe.get(path, _MISSING)
        if found is _MISSING:
            shown = path.removeprefix("builtins.")
            raise UnpicklingError(
                f"Unsupported global: GLOBAL {shown} was not an allowed global by default. "
                f"Please use `torch.serialization.add_safe_globals([{shown}])` or the "
                f"`torch.serialization.safe_globals([{shown}])` context manager to allowlist this "
                "global if you trust this class/function."
            )
        self._found[id(found)] = found
        return found

    def _is_found(self, x: Any) -> bool:
        return self._found.get(id(x), _MISSING) is x

    def call(self, function: Any, args: Any) -> Any:
        if not self._is_found(function) or not callable(function):
            # reprlib: what a hostile pickle nests may print without end
            shown = reprlib.repr(function)
            raise UnpicklingError(f"Trying to call reduce for unrecognized function {shown}")
        return self._called(function, args, {})

    def make(self, cls: Any, args: Any, kwargs: Any) -> Any:
        if not self._is_found(cls):
            raise UnpicklingError(
                "Can only create new object for nn.Parameter or classes allowlisted "
                f"via `add_safe_globals` but got {reprlib.repr(cls)}"
            )
        if self._own(cls) or not isinstance(cls, type):
            return self._called(cls, args, kwargs)
        return cls.__new__(cls, *args, **kwargs)

    def _own(self, function: Any) -> Any:
        """What stands for a general-purpose type: it checks its arguments."""
        try:
            return _names.CALLS.get(function)
        except TypeError:  # not hashable
            return None

    def _called(self, function: Any, args: Any, kwargs: Any) -> Any:
        own = self._own(function)
        if own is None:
            return function(*args, **kwargs)
        self._copied += sum(len(a) for a in args if hasattr(a, "__len__"))
        if self._copied > self._limit:
            raise UnpicklingError("the pickle copies the same data again and again, as a bomb does")
        return own(*args, **kwargs)

    def build(self, instance: Any, state: Any) -> None:
        kind = type(instance)
        if kind in (Tensor, Parameter):
            _build_tensor(instance, state)
        elif kind in _BASIC:
            instance.__dict__.update(state)
        elif self._is_found(kind):
            _build(instance, state)
        else:
            raise UnpicklingError(
                "Can only build Tensor, Parameter, OrderedDict or types allowlisted "
                f"via `add_safe_globals`, but got {kind}"
            )

    def extend(self, target: Any, items: list[Any], what: str) -> None:
        if type(target) is not list:
            raise UnpicklingError(f"Can only {what} lists, but got {type(target)}")
        target.extend(items)

    def update(self, target: Any, items: list[Any], what: str) -> None:
        if type(target) is not dict and type(target) not in _BASIC:
            raise UnpicklingError(
                f"Can only {what} for dict, collections.OrderedDict, "
                f"collections.Counter, but got {type(target)}"
            )
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_names.key(key)] = value

    def persistent(self, pid: Any) -> Any:
        if type(pid) is not tuple and type(pid) is not int:
            raise UnpicklingError(f"persistent_load id must be tuple or int, but got {type(pid)}")
        if type(pid) is tuple and pid and pid[0] not in ("storage", b"storage"):
            raise UnpicklingError(
                f"Only persistent_load of storage is allowed, but got {type(pid[0])}"
            )
        if self._persistent_load is None:
            raise UnpicklingError("unsupported persistent id encountered")
        return self._persistent_load(pid)


def _build_tensor(t: Any, state: Any) -> None:
    """What pickles of PyTorch 0.x gave tensors and parameters as their state."""
    if len(state) == 4:
        t.data = _rebuild_tensor(*state)
        return
    if len(state) == 5:
        t.data, state = state[0], (state[3], state[4], state[2])
    t.requires_grad_(bool(state[0]))


def _build(instance: Any, state: Any) -> None:
    """As pickle's own BUILD does."""
    setter = getattr(instance, "__setstate__", None)
    if setter is not None:
        setter(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        instance.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(instance, name, value)


class Inert:
    """Stands for everything that a scan neither looks up nor calls."""

    def __init__(self, name: str = "") -> None:
        self.name = name


class Scanner(Stack):
    """Runs a pickle without calling anything; keeps the globals and the persistent ids."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="bytes")
        self.globals: list[str] = []
        self.persistent_ids: list[Any] = []

    def find(self, module: str, name: str) -> Any:
        self.globals.append(f"{module}.{name}")
        return Inert(name)

    def call(self, function: Any, args: Any) -> Any:
        return Inert()

    def make(self, cls: Any, args: Any, kwargs: Any) -> Any:
        return Inert()

    def build(self, instance: Any, state: Any) -> None:
        pass

    def extend(self, target: Any, items: list[Any], what: str) -> None:
        if type(target) is list:
            target.extend(items)

    def update(self, target: Any, items: list[Any], what: str) -> None:
        pass

    def persistent(self, pid: Any) -> Any:
        self.persistent_ids.append(pid)
        return Inert()
