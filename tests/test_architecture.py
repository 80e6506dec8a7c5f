"""The architecture as a test: layers, file sizes, docstrings, and what may be imported where."""

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "jtorch"

# A module imports from its own layer or from a lower one, and nowhere in a circle. The first
# pattern that fits decides; every file of the engine is named.
LAYERS: dict[int, str] = {
    0: """_engine _engine.op _engine.dtype _engine.dtype_tags _engine.device _engine.value
          _engine.stats _engine.config _engine.errors _engine.saved _engine.signature
          _engine.strides _engine.replica _engine.mt19937 _engine.rng_kernels
          _engine.rng_checks _engine.rng_continuous _engine.rng_discrete
          _engine.rng_rejection _engine.rng_xla""",
    1: """_engine.program _engine.executor _engine.once _engine.cut _engine.host _engine.host_rules
          _engine.host_windows _engine.host_linalg""",
    2: """_engine.recorder _engine.backward _engine.walk _engine.replay _engine.storage
          _engine.region _engine.transfer _engine.rng""",
    3: "ops ops.*",
    4: "tensor _gate _indexing _layout _size _tensor_*",
    6: "__init__ __main__ _alias _check _parity _parity_record",
    5: "*",  # everything else a user calls
}

# What jtorch runs on; ml_dtypes is where jaxlib's own bfloat16 lives.
THIRD_PARTY = {"jax", "jaxlib", "optax", "numpy", "ml_dtypes"}
MAX_LINES = 500


def layer(module: str) -> int | None:
    """The layer of a module (`nn.linear`), or None for a file of the engine nobody placed."""
    for number, patterns in LAYERS.items():
        if any(fnmatchcase(module, pattern) for pattern in patterns.split()):
            return None if number == 5 and module.startswith("_engine") else number
    raise AssertionError("the last pattern fits everything")


class Tree:
    """The modules of a package by dotted name, parsed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = {self._name(path): path for path in sorted(root.rglob("*.py"))}
        self.asts = {name: ast.parse(path.read_text()) for name, path in self.paths.items()}

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.root).with_suffix("").parts
        if parts[-1] == "__init__" and len(parts) > 1:
            parts = parts[:-1]
        return ".".join(parts)

    def relative(self, module: str) -> Iterator[str]:
        """Modules that `module` imports from the package, inside functions too."""
        path = self.paths[module]
        here = path.relative_to(self.root).parent.parts
        for node in ast.walk(self.asts[module]):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = here[: len(here) - (node.level - 1)]
            source = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                target = ".".join((*source, alias.name))
                yield target if target in self.paths else ".".join(source) or "__init__"

    def absolute(self, module: str) -> Iterator[str]:
        """Dotted names that `module` imports from elsewhere: `jax.numpy`, `os`, ..."""
        for node in ast.walk(self.asts[module]):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def graph(self) -> dict[str, set[str]]:
        return {name: set(self.relative(name)) - {name} for name in self.paths}


def upward(tree: Tree) -> list[str]:
    """Imports that point up, as `nn.linear (5) -> __main__ (6)`."""
    found = []
    for module, targets in tree.graph().items():
        for target in sorted(targets):
            here, there = layer(module), layer(target)
            if here is not None and there is not None and there > here:
                found.append(f"{module} ({here}) -> {target} ({there})")
    return found


def cycles(tree: Tree) -> list[str]:
    """One line for every import that closes a circle."""
    graph, found, done = tree.graph(), [], set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        if module in trail:
            found.append(" -> ".join((*trail[trail.index(module) :], module)))
        elif module not in done:
            for target in sorted(graph.get(module, ())):
                visit(target, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())
    return found


def foreign(tree: Tree) -> list[str]:
    """Imports of anything but Python itself and what jtorch runs on, `jtorch` by name included."""
    allowed = THIRD_PARTY | sys.stdlib_module_names
    return [
        f"{module}: {name}"
        for module in tree.paths
        for name in tree.absolute(module)
        if name.split(".")[0] not in allowed
    ]


def table_imports(tree: Tree) -> list[str]:
    """Imports of `ops` that are neither `ops` nor layer 0: rows know no Tensor and no recorder."""
    return [
        f"{module} -> {target}"
        for module, targets in tree.graph().items()
        if layer(module) == 3
        for target in sorted(targets)
        if layer(target) not in (0, 3)
    ]


def array_code(tree: Tree) -> list[str]:
    """Uses of `jax.numpy` or `jax.lax` outside `ops`, `_engine` and the optimizers' rules.

    A rule is the function of a row, kept beside the optimizer that records it.
    """
    found = []
    for module in tree.paths:
        if module.split(".")[0] in ("ops", "_engine") or module.startswith("optim._rules"):
            continue
        names = list(tree.absolute(module))
        names += [
            ast.unparse(n) for n in ast.walk(tree.asts[module]) if isinstance(n, ast.Attribute)
        ]
        names = [".".join(name.split(".")[:2]) for name in names]
        found += [f"{module}: {name}" for name in ("jax.numpy", "jax.lax") if name in names]
    return found


RULES = (upward, cycles, foreign, table_imports, array_code)


@pytest.fixture(scope="module")
def jtorch_tree() -> Tree:
    return Tree(PACKAGE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(jtorch_tree, rule):
    assert not rule(jtorch_tree), rule.__doc__


def test_every_engine_file_has_a_layer(jtorch_tree):
    homeless = [name for name in jtorch_tree.paths if layer(name) is None]
    assert not homeless, "name these in LAYERS"


def test_no_layer_names_a_file_that_is_gone(jtorch_tree):
    named = {name for names in LAYERS.values() for name in names.split() if "*" not in name}
    assert not sorted(named - set(jtorch_tree.paths))


def python_files() -> list[Path]:
    folders = ("jtorch", "tests", "examples", "benchmarks")
    return [path for folder in folders for path in sorted((REPOSITORY / folder).rglob("*.py"))]


def test_files_stay_small():
    sizes = {
        str(p.relative_to(REPOSITORY)): len(p.read_text().splitlines()) for p in python_files()
    }
    assert not {name: size for name, size in sizes.items() if size > MAX_LINES}


def test_every_file_says_its_job():
    silent = [p for p in python_files() if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not [str(path.relative_to(REPOSITORY)) for path in silent]


def test_layout_names_every_file():
    """`docs/layout.md` has each file of the engine, and each file or folder beside it."""
    layout = (REPOSITORY / "docs" / "layout.md").read_text()
    wanted = {f"_engine/{path.name}" for path in PACKAGE.glob("_engine/*.py")}
    wanted |= {path.name for path in PACKAGE.glob("*.py")}
    wanted |= {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    wanted -= {"_engine/", "_engine/__init__.py"}  # the folder is listed file by file
    assert not sorted(name for name in wanted if f"`{name}`" not in layout)


# --- the rules above must be able to fail ---------------------------------------------------------

BREAKAGES = {
    upward: ("_engine/op.py", "def f():\n    from ..tensor import Tensor\n"),
    cycles: ("nn/linear.py", "def f():\n    from . import module\n"),
    foreign: ("tensor.py", "def f():\n    import torch\n"),
    table_imports: ("ops/shape.py", "from .._engine import recorder\n"),
    array_code: ("nn/linear.py", "import jax\n\ny = jax.numpy.ones(3)\n"),
}


@pytest.fixture
def small_tree(tmp_path):
    """A package of six files that keeps every rule."""
    sources = {
        "_engine/op.py": "import jax.numpy as jnp\n",
        "_engine/recorder.py": "from .op import Op\n",
        "ops/shape.py": "from .._engine.op import Op\n",
        "tensor.py": "import numpy\n\nfrom .ops import shape\n",
        "nn/linear.py": "from ..tensor import Tensor\n",
        "nn/module.py": "from .linear import Linear\n",
    }
    for name, source in sources.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(source)
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_rule_catches_a_breakage(small_tree, rule):
    assert not rule(Tree(small_tree))
    name, source = BREAKAGES[rule]
    (small_tree / name).write_text(source)
    assert len(rule(Tree(small_tree))) == 1


def test_an_upward_import_through_the_package_itself_is_seen(tmp_path):
    (tmp_path / "__init__.py").write_text("from .nn import Linear\n")
    (tmp_path / "nn").mkdir()
    (tmp_path / "nn" / "__init__.py").write_text("from .. import Tensor\n")
    assert upward(Tree(tmp_path)) == ["nn (5) -> __init__ (6)"]
