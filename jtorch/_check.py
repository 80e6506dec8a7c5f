"""`--check`: the torch names that a script and its local imports use, and which are missing."""

from __future__ import annotations

import ast
import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType

from . import _alias

_SHOWN = 8  # lines named for each torch name
_GUARDS = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException"}


@dataclass(frozen=True)
class Use:
    """One place where a file names something of torch."""

    name: str
    path: str
    line: int
    guarded: bool  # inside a `try` that expects it to be missing


@dataclass
class Scope:
    """The names that one module, class or function binds, and what each stands for.

    A torch name is what every binding agrees on; anything else that binds the name hides it.
    """

    parent: Scope | None = None
    bound: dict[str, str | None] = field(default_factory=dict)
    is_class: bool = False

    def bind(self, name: str, target: str | None) -> None:
        """`name` is `target` (a dotted torch name), or something else (None)."""
        self.bound[name] = target if self.bound.get(name, target) == target else None

    def find(self, name: str) -> str | None:
        """The torch name that `name` stands for here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bound and (scope is self or not scope.is_class):
                return scope.bound[name]
            scope = scope.parent
        return None


def _is_ours(module: str | None) -> bool:
    return (module or "").split(".")[0] in _alias.standing_in()


class _Bindings(ast.NodeVisitor):
    """Fills one scope, without going into the scopes inside it."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            whole = alias.name if alias.asname else alias.name.split(".")[0]
            self.scope.bind(alias.asname or whole, whole if _is_ours(whole) else None)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        ours = not node.level and _is_ours(node.module)
        for alias in node.names:
            if alias.name == "*":
                if ours:
                    for name in _exported(node.module or ""):
                        self.scope.bind(name, f"{node.module}.{name}")
                continue
            self.scope.bind(
                alias.asname or alias.name, f"{node.module}.{alias.name}" if ours else None
            )

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        single = len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        target = dotted(node.value, self.scope) if single else None
        for t in node.targets:
            if isinstance(t, ast.Name):
                self.scope.bind(t.id, target)
            else:
                self.visit(t)

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.scope.bind(node.id, None)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.scope.bind(node.name, None)
        self.generic_visit(node)

    def visit_FunctionDef(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ) -> None:
        self.scope.bind(node.name, None)

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_ClassDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """A scope of its own."""

    def visit_ListComp(self, node: ast.ListComp) -> None:
        """A scope of its own."""

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp


def dotted(node: ast.expr, scope: Scope) -> str | None:
    """The torch name that an expression like `nn.functional.relu` stands for."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    root = scope.find(node.id)
    return None if root is None else ".".join([root, *reversed(parts)])


class _Uses(ast.NodeVisitor):
    """Collects the torch names that a file uses, and the local files it imports."""

    def __init__(self, path: str) -> None:
        self.path, self.uses, self.imports = path, [], []
        self.scope, self.guards = Scope(), 0

    uses: list[Use]
    imports: list[tuple[int, str]]

    def add(self, name: str, line: int) -> None:
        self.uses.append(Use(name, self.path, line, self.guards > 0))

    def inside(
        self, nodes: list[ast.AST], arguments: ast.arguments | None, is_class: bool = False
    ) -> None:
        """Visit the body of a new scope."""
        outer, self.scope = self.scope, Scope(self.scope, is_class=is_class)
        if arguments is not None:
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            for a in [*every, arguments.vararg, arguments.kwarg]:
                if a is not None:
                    self.scope.bind(a.arg, None)
        for node in nodes:
            _Bindings(self.scope).visit(node)
        for node in nodes:
            self.visit(node)
        self.scope = outer

    def visit_Module(self, node: ast.Module) -> None:
        self.inside(list(node.body), None)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]:
            self.visit(part)
        self.inside(list(node.body), node.args)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self.inside([node.body], node.args)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(part)
        self.inside(list(node.body), None, is_class=True)

    def _comprehension(self, node: ast.AST) -> None:
        self.inside(list(ast.iter_child_nodes(node)), None)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_Try(self, node: ast.Try) -> None:
        caught = [ast.unparse(h.type) if h.type else "Exception" for h in node.handlers]
        guarded = any(name.strip("() ") in _GUARDS for c in caught for name in c.split(","))
        self.guards += guarded
        for part in node.body:
            self.visit(part)
        self.guards -= guarded
        for part in [*node.handlers, *node.orelse, *node.finalbody]:
            self.visit(part)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if _is_ours(alias.name):
                self.add(alias.name, node.lineno)
            else:
                self.imports.append((0, alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level or not _is_ours(module):
            self.imports.append((node.level, module))
            dot = "." if module else ""
            self.imports += [
                (node.level, f"{module}{dot}{a.name}") for a in node.names if a.name != "*"
            ]
            return
        for alias in node.names:
            self.add(module if alias.name == "*" else f"{module}.{alias.name}", node.lineno)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = dotted(node, self.scope)
        if name is None:
            self.visit(node.value)
        elif isinstance(node.ctx, ast.Load):
            self.add(name, node.lineno)
        else:  # `torch.backends.cudnn.benchmark = True` needs what it is set on
            self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        name = self.scope.find(node.id) if isinstance(node.ctx, ast.Load) else None
        if name is not None:
            self.add(name, node.lineno)


def _exported(module: str) -> list[str]:
    found, _ = resolve(module)
    names = getattr(found, "__all__", None) or [n for n in dir(found) if not n.startswith("_")]
    return list(names)


def resolve(name: str) -> tuple[object, str]:
    """(what a dotted torch name is here, '') or (None, the shortest part of it that is missing)."""
    first, *rest = name.split(".")
    ours = _alias.standing_in()[first]
    found: object = importlib.import_module(ours)
    for i, part in enumerate(rest, 1):
        ours = f"{ours}.{part}"
        if hasattr(found, part):
            found = getattr(found, part)
            continue
        if not isinstance(found, ModuleType):
            # an attribute of an object: of a class it must be there, of a value nobody knows
            return (None, ".".join([first, *rest[:i]])) if isinstance(found, type) else (found, "")
        try:
            found = importlib.import_module(ours)
        except ModuleNotFoundError:
            return None, ".".join([first, *rest[:i]])
    return found, ""


def _local_file(level: int, module: str, importer: str, root: str) -> str | None:
    """The file of a module that lies beside the script, or None."""
    folder = root
    if level:
        folder = os.path.dirname(importer)
        for _ in range(level - 1):
            folder = os.path.dirname(folder)
    base = os.path.join(folder, *module.split(".")) if module else folder
    for path in (base + ".py", os.path.join(base, "__init__.py")):
        if os.path.isfile(path):
            return path
    return None


def uses_of(script: str) -> Iterator[Use]:
    """Every use of a torch name in a script and in the local files that it imports."""
    root, waiting, seen = os.path.dirname(os.path.abspath(script)), [script], set()
    while waiting:
        path = waiting.pop(0)
        if os.path.abspath(path) in seen:
            continue
        seen.add(os.path.abspath(path))
        with open(path, "rb") as f:
            visitor = _Uses(path)
            visitor.visit(ast.parse(f.read(), path))
        yield from visitor.uses
        found = [_local_file(level, m, os.path.abspath(path), root) for level, m in visitor.imports]
        waiting += [os.path.relpath(p) if not os.path.isabs(script) else p for p in found if p]


def _where(uses: list[Use]) -> str:
    """`train.py:3,17; model.py:40,41,55 and 12 more`."""
    files: dict[str, list[str]] = {}
    for path, line in list(dict.fromkeys((u.path, u.line) for u in uses))[:_SHOWN]:
        files.setdefault(path, []).append(str(line))
    text = "; ".join(f"{path}:{','.join(lines)}" for path, lines in files.items())
    more = len({(u.path, u.line) for u in uses}) - _SHOWN
    return f"{text} and {more} more" if more > 0 else text


def report(script: str) -> tuple[str, int]:
    """What `--check` prints, and how many names are missing."""
    places: dict[str, list[Use]] = {}
    for use in uses_of(script):
        places.setdefault(use.name, []).append(use)
    # `nn` on the way to `nn.Linear` is no news of its own
    modules = {n for n in places if isinstance(resolve(n)[0], ModuleType)}
    lines, missing = [], 0
    for name in sorted(places):
        first_missing = resolve(name)[1]
        needed = first_missing and not all(u.guarded for u in places[name])
        missing += bool(needed)
        if name in modules:
            continue
        mark = (
            "missing"
            if needed
            else "missing, but the script expects that"
            if first_missing
            else "ok"
        )
        lines.append(f"{mark:8s} {name}  ({_where(places[name])})")
    count = len(lines)
    lines.sort(key=lambda line: not line.startswith("missing"))
    lines.append(f"{script}: {count} torch names, {missing} missing")
    return "\n".join(lines), missing
