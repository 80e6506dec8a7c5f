"""The statements of fuzzed programs: creation, views, indices, in-place, arithmetic, autograd."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

SHAPES = ((3, 4), (3, 4), (4,), (4,), (3,), (2, 3), (), (1, 4), (3, 1), (2, 2, 3))
KEEP = 7  # more tensors than this are forgotten, oldest first


class Grammar:
    """Writes the next statement, looking at PyTorch's live tensors."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.made, self.inside, self.distinct = rng, 0, False, False
        self.kinds: dict[Callable[[], str | None], float] = {
            self.create: 2,
            self.view: 5,
            self.read_index: 3,
            self.write_index: 4,
            self.inplace: 6,
            self.arithmetic: 5,
            self.backward: 3,
            self.gradient: 2,
            self.sync: 1,
            self.forget: 0.7,
            self.graph: 2,
            self.becomes: 0.5,
        }

    # --- choosing ------------------------------------------------------------------------------

    def statement(self, live: dict[str, Any]) -> str:
        """One statement, sometimes a no_grad block of several."""
        self.live = live
        if len(live) < 2:
            return self.create()
        if len(live) > KEEP:
            return "del " + next(iter(live))
        if self.rng.random() < 0.08:
            mode = self.pick(
                "no_grad()", "no_grad()", "no_grad()", "enable_grad()", "set_grad_enabled(False)"
            )
            self.inside = True
            inner = [self.one() for _ in range(self.rng.randint(1, 2))]
            self.inside = False
            return f"with m.{mode}:\n" + "\n".join("    " + s for s in inner)
        return self.one()

    def one(self) -> str:
        while True:
            kind = self.rng.choices(list(self.kinds), list(self.kinds.values()))[0]
            found = kind()
            if found is not None:
                return found

    def pick(self, *choices: Any) -> Any:
        return self.rng.choice(choices)

    def new(self) -> str:
        self.made += 1
        return f"v{self.made - 1}"

    def name(self, wanted: Callable[[Any], bool] = lambda t: True) -> str | None:
        found = [n for n, t in self.live.items() if wanted(t)]
        return self.rng.choice(found) if found else None

    def like(self, name: str) -> str:
        """A tensor that broadcasts with another, or a number."""
        shape = self.live[name].shape
        other = self.name(lambda t: t.shape == shape or t.numel() == 1 or t.shape == shape[-1:])
        return self.pick(other or name, other or name, str(self.rng.randint(-3, 3)), "0.5")

    # --- creation ------------------------------------------------------------------------------

    def data(self, shape: tuple[int, ...]) -> str:
        def nest(sizes: tuple[int, ...]) -> Any:
            if not sizes:
                return self.rng.randint(-3, 3)
            return [nest(sizes[1:]) for _ in range(sizes[0])]

        return str(nest(shape))

    def alone(self, t: Any) -> bool:
        """Whether a tensor is no view and has none."""
        return t._base is None and all(u._base is not t for u in self.live.values())

    def create(self) -> str:
        shape = self.pick(*SHAPES)
        kind = self.rng.choices(
            ("float32", "float64", "int64", "bool", "complex64"), (16, 2, 2, 1, 1)
        )[0]
        more = ", requires_grad=True" if kind[0] in "fc" and self.rng.random() < 0.5 else ""
        return f"{self.new()} = m.tensor({self.data(shape)}, dtype=m.{kind}{more})"

    # --- views ---------------------------------------------------------------------------------

    def view(self) -> str:
        name = self.name()
        assert name is not None
        return self.settled(f"{name}{self.view_of(self.live[name])}")

    def view_of(self, t: Any) -> str:
        n, k = t.dim(), t.numel()
        d = self.rng.randrange(-n, n) if n else 0
        e = self.rng.randrange(-n, n) if n else 0
        size = t.shape[d] if n else 1
        any_rank = [
            ".view(-1)",
            ".reshape(-1)",
            ".flatten()",
            ".detach()",
            ".data",
            ".unsqueeze(0)",
            ".unsqueeze(-1)",
            ".squeeze()",
            ".ravel()",
            ".contiguous()",
            ".view_as(" + (self.name() or "") + ")",
            ".clone()",
            f".expand({self.pick(2, 3)}, *{tuple(t.shape)})",
            ".requires_grad_()" if t.is_leaf and self.alone(t) else ".detach()",
        ]
        if n == 0:
            return self.pick(*any_rank)
        window = self.rng.randint(1, max(size, 1))
        start = self.rng.randrange(size) if size else 0
        ranked = [
            f".transpose({d}, {e})",
            f".select({d}, {self.pick(start, -1)})",
            f".unbind({d})[0]",
            f".narrow({d}, {start}, {self.rng.randint(0, max(size - start, 0))})",
            f".squeeze({d})",
            f".split({self.pick(1, 2)}, {d})[{self.pick(0, -1)}]",
            f".chunk(2, {d})[{self.pick(0, -1)}]",
            f".unfold({d}, {window}, {window})",
            f".movedim({d}, {e})",
            f".permute({', '.join(map(str, self.rng.sample(range(n), n)))})",
            ".T" if n == 2 else ".view(-1)",
            f".view({self.factored(k)})",
            f".reshape({self.factored(k)})",
            ".t()" if n <= 2 else ".mT",
            f"[{self.basic(t.shape)}]",
            f"[{self.basic(t.shape)}]",
            f"[{self.basic(t.shape)}]",
        ]
        if n >= 2:
            ranked.append(f".diagonal({self.pick(0, 0, 1, -1)})")
        if t.is_complex():
            ranked += [".real", ".imag"] * 3
        if k >= 4:
            ranked.append(self.pick(".as_strided((2, 2), (1, 2))", ".as_strided((3,), (1,), 1)"))
        return self.pick(*any_rank, *ranked, *ranked)

    def factored(self, k: int) -> str:
        shapes = [
            s for s in ((2, -1), (-1, 2), (1, -1), (3, -1), (-1, 1), (4, 3), (2, 3, 2), (-1,)) if k
        ]
        return ", ".join(map(str, self.pick(*shapes))) if shapes else "-1"

    def settled(self, expression: str) -> str:
        """A new tensor; PyTorch's results of other than row-major layout are copied
        (docs/differences.md).
        """
        name = self.new()
        return f"{name} = {expression}"

    # --- indices -------------------------------------------------------------------------------

    def basic(self, shape: Any) -> str:
        """Ints, slices with steps, ellipsis, None."""
        items, dims = [], list(shape)
        for size in dims[: self.rng.randint(1, len(dims))] if dims else []:
            items.append(self.basic_item(size))
        if self.rng.random() < 0.2:
            items.insert(self.rng.randint(0, len(items)), "None")
        if self.rng.random() < 0.2:
            items.insert(self.pick(0, len(items)), "...")
        return ", ".join(items) or "..."

    def basic_item(self, size: int) -> str:
        i = self.rng.randint(-size, size - 1) if size else 0
        a, b = (self.rng.randint(-size, size) for _ in range(2))
        if self.rng.random() < 0.02:
            i = size + 1
        return self.pick(
            str(i), str(i), ":", f"{a}:", f":{b}", f"{a}:{b}", f"{a}:{b}:2", "::2", "1:", ":-1"
        )

    def advanced_item(self, size: int, count: int) -> str:
        at = [self.rng.randint(-size, size - 1) for _ in range(count)] if size else []
        if self.distinct:  # PyTorch writes equal places in any order
            at = [i - self.pick(0, size) for i in self.rng.sample(range(size), min(count, size))]
        if self.rng.random() < 0.03:
            return str(at)
        return self.pick(
            f"m.tensor({at}, dtype=m.int64)", f"m.tensor({at}, dtype=m.int64)", str(at)
        )

    def index(self, name: str) -> str:
        """Any index expression for a tensor."""
        t = self.live[name]
        shape, roll = tuple(t.shape), self.rng.random()
        if roll < 0.35 or not shape:
            return self.basic(shape)
        if roll < 0.5:
            return self.pick(f"{name} > 0", f"{name} != 0") if not t.is_complex() else "..."
        if roll < 0.6:
            bits = [bool(self.rng.getrandbits(1)) for _ in range(shape[0])]
            return f"m.tensor({bits}, dtype=m.bool)" + self.pick(
                "", "", ", 0" if len(shape) > 1 else ""
            )
        if roll < 0.64:
            return self.pick("True", "None", "()", "m.tensor(True)", "m.tensor(0)")
        count = self.pick(1, 2, 2, 3) if not self.distinct else min(self.pick(1, 2, 3), min(shape))
        items = [
            self.advanced_item(s, count) if self.rng.random() < 0.6 else self.basic_item(s)
            for s in shape
        ][: self.rng.randint(1, len(shape))]
        if self.rng.random() < 0.15:
            items.insert(self.rng.randint(0, len(items)), self.pick("None", "..."))
        return ", ".join(items)

    def read_index(self) -> str:
        name = self.name()
        assert name is not None
        return self.settled(f"{name}[{self.index(name)}]")

    def write_index(self) -> str:
        name = self.name()
        assert name is not None
        self.distinct = True
        index = self.index(name)
        self.distinct = False
        roll = self.rng.random()
        if roll < 0.4:
            return f"{name}[{index}] = {self.pick('0', '1', '-2', '0.5', 'True')}"
        if roll < 0.55:
            return f"{name}[{index}] {self.pick('+=', '*=', '-=')} {self.pick('1', '2', '-1')}"
        if roll < 0.65:
            return f"{name}[{index}] = {name}[{index}] * 2"
        other = self.name()
        end = self.pick("", "", ".sum()", ".detach()", f"[{self.index(other)}]")
        return f"{name}[{index}] = {other}{end}"

    # --- in place ------------------------------------------------------------------------------

    def inplace(self) -> str:
        name = self.name()
        assert name is not None
        t, roll = self.live[name], self.rng.random()
        other = self.like(name)
        if roll < 0.25:
            return f"{name} {self.pick('+=', '-=', '*=', '/=')} {other}"
        if roll < 0.45:
            return f"{name}.{self.pick('add_', 'mul_', 'sub_', 'add_', 'copy_', 'div_')}({other})"
        if roll < 0.8 or not t.dim():
            return f"{name}.{self.pick(*self.plain_inplace(name))}"
        return f"{name}.{self.pick(*self.dim_inplace(name))}"

    def plain_inplace(self, name: str) -> list[str]:
        other = self.like(name)
        return [
            "zero_()",
            "fill_(2)",
            "neg_()",
            "mul_(2)",
            "add_(1)",
            "clamp_(-1, 2)",
            "relu_()",
            "tanh_()",
            "sigmoid_()",
            "square_()",
            "abs_()",
            f"masked_fill_({name} > 0, -1)",
            "detach_()" if self.alone(self.live[name]) else "neg_()",
            "exp_()",
            f"add_({other}, alpha=2)",
            "copy_(" + (self.name() or name) + ")",
            f"fill_({other})",
            "sqrt_()",
            f"addcmul_({name}, {name}, value=0.5)",
            f"lerp_({name} * 2, 0.5)",
            f"pow_({self.pick(1, 2)})",
            "clamp_(min=0)",
            f"masked_fill_({name} == 0, 2)",
            "sign_()",
            "floor_()",
            f"maximum({other})" if other[0] == "v" else "sin_()",
            "cos_()",
        ]

    def dim_inplace(self, name: str) -> list[str]:
        t = self.live[name]
        d = self.rng.randrange(-t.dim(), t.dim())
        size = t.shape[d]
        at = [self.rng.randrange(size) for _ in range(2)] if size else []
        index = f"m.tensor({at}, dtype=m.int64)"
        picked = f"{name}.detach().index_select({d}, {index})"
        first = [i % t.shape[0] for i in at] if t.shape[0] else []
        where = f"m.zeros_like({name}, dtype=m.int64)"
        return [
            f"index_fill_({d}, {index}, 3)",
            f"index_add_({d}, {index}, {picked})",
            f"index_copy_({d}, {index}, {picked})",
            f"scatter_({d}, {where}, 2)",
            f"scatter_({d}, {where}, {name}.detach() - 1)",
            f"scatter_add_({d}, {where}, {name})",
            f"scatter_add_({d}, {where}, {name} * 2)",
            f"scatter_reduce_({d}, {where}, {name}.detach(), '{self.pick('sum', 'amax', 'amin')}')",
            f"index_put_((m.tensor({first}, dtype=m.int64),), m.tensor(2).to({name}.dtype), "
            f"accumulate={self.pick(True, False)})",
            f"masked_scatter_({name} > 0, {name}.detach() + 1)",
            "tril_()",
            "triu_()",
            f"cumsum_({d})" if t.dtype.is_floating_point else "tril_()",
        ]

    def becomes(self) -> str | None:
        """A tensor that turns itself into a view, or takes another's data."""
        name = self.name()
        assert name is not None
        t = self.live[name]
        if self.inside and t.requires_grad:
            return None
        choices = [f"{name}.unsqueeze_(0)", f"{name}.squeeze_()"]
        if self.alone(t):
            choices += [
                f"{name}.data = {name}.clone() * 2" if t.is_leaf else f"{name}.neg_()",
                f"{name}.requires_grad_(False)",
                f"{name}.requires_grad_()",
            ]
        if t.dim() == 2:
            choices += [f"{name}.t_()", f"{name}.transpose_(0, 1)"]
        return self.pick(*choices)

    # --- arithmetic ----------------------------------------------------------------------------

    def arithmetic(self) -> str:
        name = self.name()
        assert name is not None
        t, other = self.live[name], self.like(name)
        d = self.rng.randrange(-t.dim(), t.dim()) if t.dim() else 0
        keep = self.pick("", ", keepdim=True")
        choices = [
            f"{name} + {other}",
            f"{name} * {other}",
            f"{name} - {other}",
            f"2 * {name}",
            f"{name} / 2",
            f"{other} - {name}",
            f"{name} * {name}",
            f"{name}.sum()",
            f"{name}.mean()",
            f"{name}.sum({d}{keep})",
            f"{name}.tanh()",
            f"{name}.relu()",
            f"{name}.clone()",
            f"-{name}",
            f"{name}.abs()",
            f"{name}.exp()",
            f"m.where({name} > 0, {name}, {other})",
            f"m.cat([{name}, {name}])",
            f"m.stack([{name}, {name}])",
            f"{name}.max()",
            f"{name}.amax({d}{keep})",
            f"{name}.cumsum({d})",
            f"{name}.float()",
            f"{name} > 0",
            f"{name}.to(m.float64)",
            f"{name}.sigmoid()",
            f"{name} ** 2",
            f"m.zeros_like({name})",
            f"{name}.flip({d})",
            f"m.ones_like({name}, requires_grad=True)",
            f"{name}.softmax({d})",
            f"{name}.prod()",
            f"{name}.sort()[0]",
            f"{name}.masked_fill({name} > 0, 1)",
            f"{name}.gather({d}, m.zeros_like({name}, dtype=m.int64))",
            f"{name}.clamp(-1, 1)",
            f"{name}.norm()",
            f"{name}.repeat(2)",
            f"{name}.roll(1)",
            f"{name}.long()",
        ]
        if t.dim() == 2:
            choices += [
                f"{name} @ {name}.t()",
                f"{name}.tril()",
                f"m.nn.functional.linear({name}, {name})",
            ]
        return self.settled(self.pick(*choices))

    # --- autograd ------------------------------------------------------------------------------

    def backward(self) -> str | None:
        name = self.name(lambda t: t.requires_grad) or self.name()
        assert name is not None
        keep = self.pick("", "", "retain_graph=True")
        if self.live[name].is_complex():
            name += ".abs()"
        return self.pick(
            f"{name}.sum().backward({keep})",
            f"{name}.sum().backward({keep})",
            f"({name} * {name}).sum().backward({keep})",
            f"{name}.backward(m.ones_like({name}){', ' + keep if keep else ''})",
            f"{name}.backward()",
        )

    def gradient(self) -> str | None:
        name = self.name(lambda t: t.is_leaf and t.requires_grad) or self.name()
        other = self.name()
        options = [f"{name}.grad = None", f"{name}.grad = {other}", f"{name}.retain_grad()"]
        if name is not None and self.live[name].is_leaf and self.live[name].grad is not None:
            options += [
                f"{name}.grad.zero_()",
                f"{name}.grad.mul_(2)",
                self.settled(f"{name}.grad"),
            ] * 2
            options += [f"with m.no_grad(): {name} -= 0.5 * {name}.grad"] * 2
            options += [f"{name}.data.sub_({name}.grad)"]
        return self.pick(*options)

    def graph(self) -> str | None:
        source = self.name(lambda t: t.requires_grad)
        if source is None:
            return None
        other = self.name(lambda t: t.requires_grad)
        loss = f"{source}{'.abs()' if self.live[source].is_complex() else ''}.sum()"
        return self.pick(
            f"{source}.register_hook(lambda g: g * 2)",
            f"{source}.retain_grad()",
            f"{source}.register_hook(lambda g: None)",
            f"{source}.register_post_accumulate_grad_hook(lambda p: None if p.grad.mul_(2) is "
            "None else None)",
            self.settled(
                f"m.autograd.grad({loss}, {other}, allow_unused=True, retain_graph=True)[0]"
            ),
            self.settled(f"m.autograd.grad({loss}, {other}, retain_graph=True)[0]"),
            self.settled(
                f"m.autograd.grad(({source} * {source}).sum(), {other}, create_graph=True, "
                "allow_unused=True)[0]"
            ),
            f"{source}.sum().backward()"
            if self.inside
            else f"{source}.sum().backward(inputs=[{other}], retain_graph=True)",
            f"({source} * {other}).sum().backward(create_graph=True)",
        )

    # --- the rest ------------------------------------------------------------------------------

    def sync(self) -> str:
        name = self.name()
        return self.pick(
            f"r = {name}.sum().item()",
            f"r = {name}.tolist()",
            f"r = bool(({name} != 0).any())",
            f"r = str(tuple({name}.shape)) + str({name}.is_contiguous())",
            f"r = {name}.requires_grad",
            f"r = len({name})",
            f"r = 1 in {name}",
            f"r = float({name}.detach().abs().sum())",
        )

    def forget(self) -> str | None:
        return "del " + str(self.name()) if len(self.live) > 3 else None
