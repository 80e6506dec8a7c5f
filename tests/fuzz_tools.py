"""Random imperative programs, run statement by statement in PyTorch and in jtorch and compared.

    python -m tests.fuzz_tools SEED            # replay one program, print it, shrink a difference
    python -m tests.fuzz_tools 0 --count 5000  # many

A program is a list of Python statements over `m` (the module) and `v0, v1, ...` (tensors), made
from a seed. The generator looks at PyTorch's state to write mostly valid statements; errors must
agree too.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import jtorch
from jtorch._engine.saved import uncounted

try:
    from fuzz_grammar import Grammar
except ImportError:  # `python -m tests.fuzz_tools`
    from tests.fuzz_grammar import Grammar

MODES = ("host", "once", "eager", "deferred")
LARGE = 1e5  # beyond it float32 is no longer exact, and the program ends
# What PyTorch refuses and jtorch does (docs/differences.md).
ALLOWED = (
    "modified by an inplace operation",
    "returns multiple views",
    "created in no_grad mode",
    "not implemented for",
    "please report a bug to PyTorch",
    "Could this error message be improved",
    "returned an invalid gradient at index",
    "Autograd not support dtype",
    "through the graph a second time",
    "is not supported for complex",
    "some elements of the input tensor and the written-to tensor refer",
)
TALLY = Counter[str]()  # errors about modified tensors: raised by both, or by PyTorch alone
World = dict[str, Any]


class Difference(Exception):
    """What PyTorch and jtorch disagree on."""


class Ended(Exception):
    """PyTorch is at something that it refuses and jtorch does not."""


def world(module: Any) -> World:
    """The names a program sees."""
    return {"m": module}


def tensors(space: World) -> dict[str, Any]:
    """The live tensors by name."""
    return {n: t for n, t in space.items() if n[0] == "v" and hasattr(t, "requires_grad")}


def execute(statement: str, space: World) -> Exception | None:
    """Run one statement; the exception it raised."""
    space.pop("r", None)
    try:
        exec(statement, space)
    except Exception as e:
        return e
    return None


def numbers(t: Any) -> np.ndarray:
    """The content of a tensor of either library."""
    t = t.detach()
    if isinstance(t, torch.Tensor):
        return t.resolve_conj().resolve_neg().numpy()
    return t.numpy()


def _same_numbers(want: Any, got: Any, what: str) -> None:
    w, g = numbers(want), numbers(got)
    if not np.allclose(w, g, rtol=1e-5, atol=1e-5, equal_nan=True):
        raise Difference(f"{what}: torch has\n{w}\njtorch has\n{g}")


def _differentiable(t: Any) -> bool:
    """PyTorch lets an integer tensor require grad once a float that does is written into it."""
    return bool(t.dtype.is_floating_point or t.dtype.is_complex)


FACTS: dict[str, Callable[[Any], Any]] = {
    "shape": lambda t: tuple(t.shape),
    "dtype": lambda t: str(t.dtype),
    "requires_grad": lambda t: t.requires_grad if _differentiable(t) else None,
    "is_leaf": lambda t: t.is_leaf if _differentiable(t) else None,
    "stride": lambda t: [
        s for n, s in zip(t.shape, t.stride(), strict=True) if n > 1 and t.numel()
    ],
    "storage_offset": lambda t: t.storage_offset() if t.numel() else 0,
    "retains_grad": lambda t: t.retains_grad,
    "grad": lambda t: t.grad is not None if t.is_leaf or t.retains_grad else False,
}


def _compare_facts(want: dict[str, Any], got: dict[str, Any]) -> None:
    if want.keys() != got.keys():
        raise Difference(f"names: torch has {sorted(want)}, jtorch has {sorted(got)}")
    for name, w in want.items():
        for fact, read in FACTS.items():
            if fact in ("retains_grad", "grad") and w._is_view():
                continue  # PyTorch keeps the flag of a view whose graph has been made anew
            a, b = _asked(read, w), _asked(read, got[name])
            if any(text in str(a) for text in ALLOWED) or (a is True and not b and _blind_view(w)):
                raise Ended
            if a != b:
                raise Difference(f"{name}.{fact}: torch has {a}, jtorch has {b}")
    if _sharing(want) != _sharing(got):
        raise Difference(f"storages: torch has {_sharing(want)}, jtorch has {_sharing(got)}")


def _asked(read: Callable[[Any], Any], t: Any) -> Any:
    try:
        return read(t)
    except RuntimeError as e:
        return f"raises {e}"


def _leaf(t: Any) -> bool:
    return _asked(lambda x: x.is_leaf, t) is True


def _blind_view(t: Any) -> bool:
    """A view taken under no_grad: PyTorch says that it requires grad, and gives it no edge."""
    fn = _asked(lambda x: x.grad_fn, t)
    return (fn is None or isinstance(fn, str)) and t._base is not None


def _sharing(live: dict[str, Any]) -> list[list[str]]:
    """Which tensors (and gradients) lie in one storage."""
    groups: dict[int, list[str]] = {}
    for name, t in live.items():
        for label, x in ((name, t), (name + ".grad", t.grad if _leaf(t) else None)):
            if x is None or x.numel() == 0:
                continue
            torchs = isinstance(x, torch.Tensor)
            key = x.untyped_storage().data_ptr() if torchs else id(x._storage)
            groups.setdefault(key, []).append(label)
    return sorted(groups.values())


def _versions(space: World) -> dict[str, tuple[Any, int]]:
    return {name: (t, t._version) for name, t in tensors(space).items()}


def _compare_versions(want: Any, got: Any, now: World, ours: World) -> None:
    """A write bumps the counters of the same tensors."""
    for name, (t, version) in want.items():
        u, before = got[name]
        if now.get(name) is t and ours.get(name) is u:
            a, b = t._version > version, u._version > before
            if a != b:
                raise Difference(f"{name}._version: torch bumped it: {a}, jtorch: {b}")


def _compare_values(want: dict[str, Any], got: dict[str, Any]) -> None:
    for name, w in want.items():
        _same_numbers(w, got[name], name)
        if _leaf(w) and w.grad is not None:
            _same_numbers(w.grad, got[name].grad, name + ".grad")


def _compare_errors(want: Exception | None, got: Exception | None, words: bool) -> None:
    same = type(want) is type(got) or {type(want), type(got)} == {RuntimeError, NotImplementedError}
    if not same:
        raise Difference(f"error: torch raised {want!r}, jtorch raised {got!r}")
    if words and want is not None:
        a, b = (str(e).split("\n")[0].strip() for e in (want, got))
        if a != b:
            raise Difference(f"error text: torch says {a!r}, jtorch says {b!r}")


class Pair:
    """One program in both worlds."""

    def __init__(self, every: bool, words: bool = False) -> None:
        self.torch, self.jtorch = world(torch), world(jtorch)
        self.every, self.words = every, words  # compare values after every statement; error texts
        self.raised = self.modified = self.unseen = 0
        self.ended = False
        self.known: set[str] = set()

    def step(self, statement: str, values: bool | None = None) -> bool:
        """Run a statement in both and compare; False when the program has to end here."""
        before = [_versions(s) for s in (self.torch, self.jtorch)]
        unseen_writes = sum(uncounted.values())
        want = execute(statement, self.torch)
        got = execute(statement, self.jtorch)
        if isinstance(got, NotImplementedError) and want is None:
            self.ended = True
            return False  # refused openly
        refused = "more than one element of the written-to tensor" in str(got)
        self.modified += "modified by an inplace operation" in str(got)
        self.unseen += "modified by an inplace operation" in str(want) and got is None
        if refused or any(text in str(want) for text in ALLOWED):
            self.ended = True
            return False
        self.raised += want is not None
        _compare_errors(want, got, self.words)
        _compare_versions(*before, self.torch, self.jtorch)
        self._settle()
        live = tensors(self.torch), tensors(self.jtorch)
        try:
            _compare_facts(*live)
        except Ended:
            self.ended = True
            return False
        if any(t.requires_grad and not _differentiable(t) for t in live[0].values()):
            self.ended = True  # and what is computed from it requires grad in PyTorch
            return False
        through_data = sum(uncounted.values()) != unseen_writes
        if through_data and any(t.requires_grad for t in live[0].values()):
            self.ended = True  # PyTorch's gradient may read what `.data` overwrote (differences.md)
            return False
        if "r" in self.torch:
            self._result(statement)
        if self.every if values is None else values:
            _compare_values(*live)
        return not _too_large(live[0])

    def _result(self, statement: str) -> None:
        w, g = self.torch["r"], self.jtorch.get("r")
        same = (
            w == g
            if isinstance(w, bool | int | str)
            else np.allclose(w, g, equal_nan=True, rtol=1e-5)
        )
        if not same:
            raise Difference(f"{statement}: torch gave {w!r}, jtorch gave {g!r}")

    def _settle(self) -> None:
        """Copy a new result that PyTorch laid out in another order (docs/differences.md)."""
        live = tensors(self.torch)
        held: Counter[int] = Counter(t.untyped_storage().data_ptr() for t in live.values())
        for name in live.keys() - self.known:
            t = live[name]
            if not t.is_contiguous() and held[t.untyped_storage().data_ptr()] == 1:
                copy = f"{name} = {name}.clone(memory_format=m.contiguous_format)"
                for space in (self.torch, self.jtorch):
                    execute(copy, space)
        self.known = set(live)

    def finish(self) -> None:
        """The last comparison of all values."""
        if self.ended:
            return
        _compare_values(tensors(self.torch), tensors(self.jtorch))


def _too_large(live: dict[str, Any]) -> bool:
    for t in live.values():
        grads = [t.grad] if _leaf(t) and t.grad is not None else []
        for x in (t.detach(), *grads):
            if x.dtype.is_floating_point and x.numel() and not bool(x.abs().max() < LARGE):
                return True
    return False


@contextlib.contextmanager
def execution(mode: str) -> Iterator[None]:
    """host: each op in NumPy at once; once: recorded, and the program run in NumPy (neither
    compiles: thousands of programs); eager; deferred.
    """
    from jtorch._engine import host, once
    from jtorch._engine.config import config

    with contextlib.ExitStack() as stack:
        if mode == "host":
            stack.enter_context(host.preferred())
        before = config.set("execution", "eager" if mode == "eager" else "deferred")
        stack.callback(config.set, "execution", before)
        before = config.set("once", "auto" if mode == "once" else "0")
        stack.callback(config.set, "once", before)
        stack.callback(setattr, once, "LONELY", once.LONELY)
        once.LONELY = 0
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        grad = torch.is_grad_enabled(), jtorch.is_grad_enabled()
        try:
            yield
        finally:
            torch.set_grad_enabled(grad[0])
            jtorch.set_grad_enabled(grad[1])


def run_seed(seed: int, mode: str = "host", words: bool = False) -> tuple[list[str], str]:
    """Generate and compare one program: (its statements, the difference or '')."""
    rng = random.Random(seed)
    pair = Pair(every=mode == "host" or rng.random() < 0.3, words=words)
    grammar = Grammar(rng)
    program: list[str] = []
    with execution(mode):
        try:
            for _ in range(rng.randint(1, 40)):
                try:
                    statement = grammar.statement(tensors(pair.torch))
                except RuntimeError:  # a view that PyTorch refuses to be asked about
                    break
                program.append(statement)
                if not pair.step(statement):
                    break
            TALLY.update(modified=pair.modified, unseen=pair.unseen)
            pair.finish()
        except Difference as e:
            return program, str(e)
    return program, ""


def run_program(program: list[str], mode: str = "host", words: bool = False) -> str:
    """Compare a given program; the first difference or ''."""
    pair = Pair(every=True, words=words)
    with execution(mode):
        try:
            for statement in program:
                if not pair.step(statement):
                    break
        except Difference as e:
            return str(e)
    return ""


def shrink(program: list[str], mode: str, words: bool = False) -> list[str]:
    """Drop statements as long as some difference of the same kind remains."""
    kind = _kind(run_program(program, mode, words))
    again = True
    while again:
        again = False
        for i in reversed(range(len(program))):
            shorter = program[:i] + program[i + 1 :]
            found = run_program(shorter, mode, words)
            if found and _kind(found) == kind and "NameError" not in found:
                program, again = shorter, True
    return program


def _kind(difference: str) -> str:
    head = difference.split(":")[0]
    return head.split(".")[-1] if "." in head else ("value" if head[:1] == "v" else head)


def main() -> None:
    """Replay one seed, or search many."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("seed", type=int)
    options.add_argument("--count", type=int, default=1)
    options.add_argument("--mode", choices=MODES, default="host")
    options.add_argument("--words", action="store_true", help="compare error texts as well")
    options.add_argument(
        "--show", type=int, default=5, help="how many differences to shrink and print"
    )
    asked = options.parse_args()
    failed, kinds = [], Counter[str]()
    for seed in range(asked.seed, asked.seed + asked.count):
        program, difference = run_seed(seed, asked.mode, asked.words)
        if asked.count == 1:
            print("\n".join(program))
        if not difference:
            continue
        failed.append(seed)
        kinds[_kind(difference)] += 1
        if len(failed) <= asked.show:
            small = shrink(program, asked.mode, asked.words)
            print(f"--- seed {seed}: {run_program(small, asked.mode, asked.words) or difference}")
            print("\n".join(small), flush=True)
    print(f"{asked.count} programs, {len(failed)} with a difference {dict(kinds)} {failed[:40]}")
    print(dict(TALLY))


if __name__ == "__main__":
    main()
