"""`autograd.profiler` and `torch.profiler`: names, counts and tables as PyTorch's."""

from __future__ import annotations

import json
import re

import pytest
import torch

import jtorch

MODULES = (torch, jtorch)
pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)


def profiled(m, **options):
    x = m.linspace(1, 2, 3)
    with m.autograd.profiler.profile(**options) as prof:
        with m.autograd.profiler.record_function("mine"):
            for _ in range(5):
                x = (x / x) * x
        x.tolist()
    return prof


def test_ops_are_counted_under_torchs_names():
    counts = []
    for m in MODULES:
        rows = {e.key: e.count for e in profiled(m).key_averages()}
        counts.append({k: rows.get(k) for k in ("aten::mul", "aten::div", "mine")})
    assert counts[0] == counts[1] == {"aten::mul": 5, "aten::div": 5, "mine": 1}


def test_times_add_up():
    prof = profiled(jtorch)
    rows = {e.key: e for e in prof.key_averages()}
    mine, total = rows["mine"], prof.total_average()
    inside = sum(rows[k].cpu_time_total for k in ("aten::mul", "aten::div"))
    assert mine.self_cpu_time_total == pytest.approx(mine.cpu_time_total - inside)
    assert total.self_cpu_time_total == pytest.approx(prof.self_cpu_time_total)
    assert prof.self_cpu_time_total > 0
    assert rows["jtorch::run"].count == 1  # all of it is one program
    assert rows["aten::mul"].cpu_time == pytest.approx(rows["aten::mul"].cpu_time_total / 5)


def test_compiles_are_events():
    x = jtorch.ones(7, 3)
    with jtorch.autograd.profiler.profile() as prof:
        (x.sin().cumsum(0) * 3 - x).tolist()
    assert {e.key: e.count for e in prof.key_averages()}["jtorch::compile"] == 1


def layout(table):
    """A table without its numbers and names."""
    lines = [line for line in table.split("\n") if "aten" not in line and "jtorch" not in line]
    return [re.sub(r"[\d.]+%?[mun]?s?", "#", line).split() for line in lines if "mine" not in line]


def test_table_looks_like_torchs():
    tables = []
    for m in MODULES:
        rows = profiled(m).key_averages()
        names = {"aten::mul", "aten::div", "mine"}
        keep = type(rows)([e for e in rows if e.key in names])
        tables.append(keep.table(sort_by="self_cpu_time_total", header="Here"))
        assert "Self CPU time total" in str(rows)
    assert layout(tables[0]) == layout(tables[1])
    assert [len(line) for line in tables[0].split("\n")][:4] == [
        len(line) for line in tables[1].split("\n")
    ][:4]


def test_rows_are_sorted_and_limited():
    rows = profiled(jtorch).key_averages()
    table = rows.table(sort_by="count", row_limit=2)
    assert "aten::mul" in table and "mine" not in table
    with pytest.raises(AttributeError):
        rows.table(sort_by="foo")


def test_shapes_and_lines():
    found = []
    for m in MODULES:
        with m.autograd.profiler.profile(record_shapes=True) as prof:
            for n in (2, 3, 3):
                m.ones(n, 4) @ m.ones(4, n)
        rows = prof.key_averages(group_by_input_shape=True)
        found.append({str(e.input_shapes): e.count for e in rows if e.key == "aten::matmul"})
    assert found[0] == found[1] == {"[[2, 4], [4, 2]]": 1, "[[3, 4], [4, 3]]": 2}
    prof = profiled(jtorch, with_stack=True)
    assert any("test_profiler.py" in line for e in prof.function_events for line in e.stack)
    assert "Source Location" in prof.key_averages(group_by_stack_n=1).table()


def test_every_backward_is_seen():
    counts = []
    for m in MODULES:
        w = m.ones(3, requires_grad=True)
        with m.autograd.profiler.profile() as prof:
            for _ in range(4):
                w.grad = None
                (w.exp() * w).sum().backward()
        rows = {e.key: e.count for e in prof.key_averages()}
        counts.append([rows[k] for k in ("aten::exp", "MulBackward0", "ExpBackward0")])
    assert counts[0] == counts[1] == [4, 4, 4]


def test_switched_off_twice_and_refused():
    off = profiled(jtorch, enabled=False)
    assert off.key_averages().table() == "" and str(off) == ""
    texts = []
    for m in MODULES:
        prof = m.autograd.profiler.profile()
        with prof:
            pass
        with pytest.raises(RuntimeError) as e:
            prof.__enter__()
        texts.append(str(e.value))
    assert texts[0] == texts[1]
    with pytest.raises(NotImplementedError, match="profile_memory"):
        jtorch.autograd.profiler.profile(profile_memory=True)


def test_nothing_is_left_behind():
    from jtorch._engine import recorder

    before = recorder.record, recorder.execute
    profiled(jtorch)
    assert (recorder.record, recorder.execute) == before
    with jtorch.autograd.profiler.profile() as prof, jtorch.autograd.forward_ad.dual_level():
        jtorch.ones(2) * 2
    assert (recorder.record, recorder.execute) == before
    assert "aten::mul" in {e.key for e in prof.key_averages()}


def test_schedule():
    options = (
        {"wait": 1, "warmup": 1, "active": 2, "repeat": 1},
        {"wait": 0, "warmup": 0, "active": 1},
        {"wait": 2, "warmup": 1, "active": 1, "skip_first": 2, "skip_first_wait": 1},
    )
    for kwargs in options:
        want, got = ([str(m.profiler.schedule(**kwargs)(i)) for i in range(12)] for m in MODULES)
        assert want == got
    for m in MODULES:
        with pytest.raises(AssertionError, match="active=0"):
            m.profiler.schedule(wait=1, warmup=1, active=0)


def test_steps_and_traces(tmp_path):
    seen = []
    for m in MODULES:
        ready = []
        with m.profiler.profile(
            activities=[m.profiler.ProfilerActivity.CPU],
            schedule=m.profiler.schedule(wait=1, warmup=1, active=2, repeat=2),
            on_trace_ready=lambda p, ready=ready: ready.append(
                sorted(e.key for e in p.key_averages() if e.key.startswith("ProfilerStep"))
            ),
        ) as prof:
            for _ in range(8):
                m.ones(2).mul(2)
                prof.step()
        seen.append([len(ready), prof.step_num])
    assert seen[0] == seen[1]
    handler = jtorch.profiler.tensorboard_trace_handler(str(tmp_path))
    with jtorch.profiler.profile(on_trace_ready=handler) as prof:
        jtorch.ones(2).mul(2)
    (path,) = tmp_path.iterdir()
    assert "aten::mul" in {e["name"] for e in json.loads(path.read_text())["traceEvents"]}
    assert "aten::mul" in {e.key for e in prof.key_averages()}


def test_record_function_decorates():
    @jtorch.profiler.record_function("named")
    def f(x):
        return x + 1

    with jtorch.profiler.profile() as prof:
        f(f(jtorch.ones(2)))
    assert {e.key: e.count for e in prof.key_averages()}["named"] == 2


def test_compiler_answers():
    for m in MODULES:
        c = m.compiler
        assert not (c.is_compiling() or c.is_exporting() or c.is_dynamo_compiling())
        assert c.disable(len)([1]) == 1 and c.disable(recursive=False)(len)([1]) == 1
        assert c.allow_in_graph(len)([1]) == 1 and c.assume_constant_result(layout)("") == layout(
            ""
        )
        assert "openxla" in c.list_backends()
        c.cudagraph_mark_step_begin()
        with c.set_stance("force_eager"):
            assert m.ones(1).item() == 1
    with pytest.raises(RuntimeError, match="invalid torch"):
        jtorch.compiler.set_stance("foo")
