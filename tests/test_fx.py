"""torch.fx: graphs, their code and what it computes, against PyTorch's."""

from __future__ import annotations

import operator

import pytest
import torch

import jtorch


def program(t):
    """The same module in either library."""

    class Block(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = t.nn.Sequential(t.nn.Linear(3, 4), t.nn.ReLU())
            self.scale = t.nn.Parameter(t.ones(4))
            self.register_buffer("shift", t.zeros(4))

        def forward(self, x, y=2.0):
            h = self.layers(x) * self.scale + self.shift
            h = t.exp(h) + y
            a, b = h[0], h.sum(0, keepdim=True)
            return t.cat([a.unsqueeze(0), -b]).view(-1), {"shape": x.shape[0]}

    t.manual_seed(0)
    return Block()


def test_a_module_is_traced_as_torch_traces_it():
    mine, theirs = (t.fx.symbolic_trace(program(t)) for t in (jtorch, torch))
    assert mine.code == theirs.code
    assert [(n.op, n.name, len(n.users)) for n in mine.graph.nodes] == [
        (n.op, n.name, len(n.users)) for n in theirs.graph.nodes
    ]
    x = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    (a, extra), (b, _) = mine(jtorch.tensor(x)), theirs(torch.tensor(x))
    assert extra == {"shape": 2}
    torch.testing.assert_close(torch.tensor(a.tolist()), b.detach())
    assert sorted(mine.state_dict()) == sorted(theirs.state_dict())
    assert jtorch.fx.Interpreter(mine).run(jtorch.tensor(x))[0].tolist() == a.tolist()
    assert jtorch.fx.Transformer(mine).transform()(jtorch.tensor(x))[0].tolist() == a.tolist()


def test_ops_are_replaced():
    def f(x, y):
        return x + y, jtorch.add(x, y), x.add(y)

    traced = jtorch.fx.symbolic_trace(f)
    for n in traced.graph.nodes:
        if n.target in (operator.add, jtorch.add, "add"):
            with traced.graph.inserting_after(n):
                n.replace_all_uses_with(traced.graph.call_function(jtorch.mul, n.args, n.kwargs))
            traced.graph.erase_node(n)
    traced.graph.lint()
    traced.recompile()
    assert [t.item() for t in traced(jtorch.tensor(3.0), jtorch.tensor(4.0))] == [12.0] * 3


def test_patterns_are_replaced_as_in_torch():
    codes = []
    for t in (jtorch, torch):

        def f(x, w1, w2):
            m1 = t.cat([t.neg(w1), w2]).sum()  # noqa: B023
            m2 = t.cat([t.neg(w1), w2]).sum()  # noqa: B023
            return x + t.max(m1) + t.max(m2)  # noqa: B023

        def pattern(a1, a2):
            return t.cat([t.neg(a1), a2]).sum()  # noqa: B023

        def replacement(w1, w2):
            return t.stack([w1, w2])  # noqa: B023

        traced = t.fx.symbolic_trace(f)
        assert len(t.fx.replace_pattern(traced, pattern, replacement)) == 2
        traced.graph.lint()
        codes.append(traced.code)
    assert codes[0] == codes[1]


def test_what_cannot_be_traced_says_so():
    def branch(x):
        return x if x.sum() > 0 else -x

    for t in (jtorch, torch):
        with pytest.raises(t.fx.proxy.TraceError, match="cannot be used as inputs to control flow"):
            t.fx.symbolic_trace(branch)
    with pytest.raises(RuntimeError, match="still had 1 users"):
        traced = jtorch.fx.symbolic_trace(lambda x: x + 1)
        traced.graph.erase_node(next(iter(traced.graph.nodes)))


def test_tracing_leaves_the_library_as_it_was():
    before = (jtorch.add, jtorch.nn.Module.__call__, jtorch.nn.functional.relu)
    jtorch.fx.symbolic_trace(lambda x: jtorch.add(x, 1))
    assert before == (jtorch.add, jtorch.nn.Module.__call__, jtorch.nn.functional.relu)
