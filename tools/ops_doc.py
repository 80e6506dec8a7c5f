"""Writes docs/ops.md from the op table and the conformance harness's figures.

python -m tools.ops_doc ops.json errors.json names.json

The files are what `shared/conformance/conformance.py --json` writes for the suites of these names.
"""

from __future__ import annotations

import argparse
import inspect
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import jtorch
from jtorch._absent import REASONS
from jtorch._functions import NAMESPACES
from jtorch.ops import TABLE

PAGE = Path(__file__).parent.parent / "docs" / "ops.md"
SCORES = (
    "forward",
    "grad",
    "method",
    "inplace",
    "out",
    "dtype",
    "inplace_grad",
    "operator",
    "alias",
)
INNER = "an inner name of ATen, which is not public"
SCORED = ("pass", "fail", "missing")
REASON = 200  # characters of a failure's reason

KINDS = """
What `dtypes` says: *default*: operands are brought to their common dtype, which the result has;
*int to float*: the same, and integers and bools give the default floating dtype; *bool to long*:
integers and bools give int64; *always bool*: the result is bool; *complex to float*: complex
operands give their real dtype; *none*: any, as they come; *of its ops*: a Python function over
others.  `gradient` says whether the op is differentiable; *linear*: its gradient keeps no operand.
"""

# Why an entry fails, where the harness's message does not say it.
WHY = {
    "chalf": "JAX has no half-precision complex numbers",
    "to_sparse": "there are no sparse tensors (docs/differences.md)",
    "as_strided_scatter": "PyTorch's gradient is wrong (docs/differences.md)",
    "istft": "PyTorch's gradient is wrong (docs/differences.md)",
    "linalg.eigh": "eigenvectors are unique up to their signs, which are those of jaxlib's LAPACK",
    "fft.ihfftn": "PyTorch leaves out= as it was (docs/differences.md)",
    "_chunk_cat": "private",
}
NAMES_WHY = {
    "no TorchScript compiler": """torch.ScriptFunction torch.import_ir_module torch.parse_ir
        torch.import_ir_module_from_buffer torch.merge_type_from_type_comment torch.parse_schema
        torch.parse_type_comment torch.unify_type_list""",
    "PyTorch's dispatcher, which is not here": """torch.AggregationType torch.DispatchKey torch.Tag
        torch.autograd.NestedIOFunction torch.func.debug_unwrap""",
    "first-class dimensions: use einsum or func.rearrange": "torch.Tensor.index",
    "scaled products of float8 on certain GPUs": """torch.nn.functional.ScalingType
        torch.nn.functional.SwizzleType torch.nn.functional.scaled_mm
        torch.nn.functional.scaled_grouped_mm""",
    "selective checkpointing: call checkpoint on the part to recompute": """
        torch.utils.checkpoint.CheckpointPolicy torch.utils.checkpoint.SelectiveCheckpointContext
        torch.utils.checkpoint.create_selective_checkpoint_contexts
        torch.utils.checkpoint.GraphExecGroup""",
    "datapipes, which left PyTorch for torchdata": """torch.utils.data.IterDataPipe
        torch.utils.data.MapDataPipe""",
}
WHY |= {name: why for why, names in NAMES_WHY.items() for name in names.split()}


def load(paths: list[str]) -> dict[str, Any]:
    """The suites in several result files, by name; shards of one suite must be merged before."""
    suites: dict[str, Any] = {}
    for path in paths:
        suites |= json.loads(Path(path).read_text())["suites"]
    return suites


def totals(suites: dict[str, Any]) -> list[str]:
    """What passes, a line per sub-score: of the public entries, and of all."""
    lines = [
        "| figure | public: passes | of | % | all: passes | of | % |",
        "| --- |" + " ---: |" * 6,
    ]
    for suite, found in suites.items():
        scores = dict.fromkeys(name for e in found["entries"] for name in e["status"])
        for score in scores:
            cells = []
            for entries in (
                [e for e in found["entries"] if e.get("public", True)],
                found["entries"],
            ):
                status = [e["status"].get(score) for e in entries]
                passed, of = status.count("pass"), sum(s in SCORED for s in status)
                cells += [str(passed), str(of), f"{100 * passed / of:.1f}" if of else ""]
            if cells[1] != "0":
                lines.append(f"| {suite}: {score} | {' | '.join(cells)} |")
    return lines


def failures(suites: dict[str, Any]) -> list[str]:
    """Every entry that does not pass everything, with the reason; of the names, the public ones."""
    lines = ["| entry | what fails | reason |", "| --- | --- | --- |"]
    for suite, found in suites.items():
        for entry in found["entries"]:
            wrong = [k for k, v in entry["status"].items() if v in ("fail", "missing")]
            inner = not entry.get("public", True)
            if not wrong or (inner and suite == "names"):
                continue
            reasons = entry.get("reason") or {}
            text = (
                why(entry)
                or (INNER if inner else "")
                or str(next(iter(reasons.values()), entry.get("note") or ""))
            )
            text = " ".join(text.split())
            cell = text.replace("|", "\\|").replace("`", "'")[:REASON]
            lines.append(f"| {suite}: {entry['key']} | {', '.join(wrong)} | {cell} |")
    return lines


def why(entry: dict[str, Any]) -> str:
    """The reason in our words, where there is one."""
    name, key = entry["name"], entry["key"].removeprefix("op:")
    absent = REASONS.get(key.rsplit(".", 1)[-1], "") if key.startswith("torch.") else ""
    return WHY.get(key) or WHY.get(name) or absent


def conformance(suites: dict[str, Any]) -> dict[str, str]:
    """Per op name: 'pass', or which of the sub-scores fail."""
    wrong: dict[str, set[str]] = defaultdict(set)
    for entry in suites.get("ops", {}).get("entries", ()):
        bad = {k for k, v in entry["status"].items() if v in ("fail", "missing")}
        wrong[entry["name"]] |= bad
    return {name: ", ".join(sorted(bad)) or "pass" for name, bad in wrong.items()}


def constant(suites: dict[str, Any]) -> set[str]:
    """Ops for which PyTorch itself has no gradient."""
    scored = defaultdict(set)
    for entry in suites.get("ops", {}).get("entries", ()):
        scored[entry["name"]].add(entry["status"].get("grad", "skip"))
    return {name for name, found in scored.items() if found == {"skip"}}


def public_functions() -> dict[str, dict[str, Any]]:
    """Every public function of the op namespaces: {namespace: {name: function}}."""
    spaces: dict[str, dict[str, Any]] = defaultdict(dict)
    for space, names in NAMESPACES.items():
        for name, f in names.items():
            if not name.startswith("_"):
                spaces[space][name] = f
    return spaces


def signature(name: str, f: Any) -> str:
    """`name(parameters)` as Python shows it, without annotations."""
    try:
        found = inspect.signature(f)
    except (TypeError, ValueError):
        return f"{name}(...)"
    shown = []
    for p in found.parameters.values():
        if p.name == "_named":  # NumPy's spellings, which every derived function takes
            continue
        must = "required" in repr(p.default)
        default = inspect.Parameter.empty if must else p.default
        shown.append(p.replace(annotation=inspect.Parameter.empty, default=default))
    text = str(found.replace(parameters=shown, return_annotation=inspect.Signature.empty))
    return name + text.replace("|", "\\|")


def row(space: str, name: str, f: Any, checked: dict[str, str], flat: set[str]) -> str:
    """One line of the table."""
    own = getattr(f, "__name__", name)
    op = TABLE.get(own) or TABLE.get(name)
    if op is None:
        kind, gradient, extra = "of its ops", "of its ops", ""
    else:
        kind = op.promote.name.lower().replace("_", " ")
        gradient = "linear" if op.linear else "yes" if op.differentiable else "no"
        extra = ", ".join(
            word
            for word, on in (("in-place", op.inplace), ("out=", op.out), ("view", op.view))
            if on
        )
    prefix = "" if space in ("torch", "Tensor") else f"{space}."
    entry = next((n for n in (prefix + name, prefix + own, own) if n in checked), "")
    gradient = "no" if entry in flat or kind == "always bool" else gradient
    found = checked.get(entry, "")
    return f"| `{signature(name, f)}` | {kind} | {gradient} | {extra} | {found} |"


def page(suites: dict[str, Any]) -> str:
    """The whole document."""
    lines = [
        "# Ops",
        "",
        "Generated by `python -m tools.ops_doc` from the op table and the conformance harness "
        f"(jtorch {jtorch.__version__}); do not edit.",
        "",
        "## Conformance with PyTorch's own test databases",
        "",
        *totals(suites),
        "",
        "*All* counts the entries of private and of ATen's inner names, too; of the names, *public*"
        " ones are those that PyTorch documents, and only these are listed below.",
        "",
        "## What does not pass",
        "",
        *failures(suites),
        "",
    ]
    checked, flat = conformance(suites), constant(suites)
    lines += [*KINDS.strip().splitlines(), ""]
    for space, names in sorted(public_functions().items()):
        title = "torch" if space == "torch" else space if space == "Tensor" else f"torch.{space}"
        lines += [f"## {title}", "", "| op | dtypes | gradient | also | conformance |"]
        lines.append("| --- | --- | --- | --- | --- |")
        lines += [row(space, name, f, checked, flat) for name, f in sorted(names.items())]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+", help="JSON files of the conformance harness")
    PAGE.write_text(page(load(parser.parse_args().results)))


if __name__ == "__main__":
    main()
