"""`torch.utils._pytree`: nested containers flattened to leaves and built up again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = [
    "LeafSpec", "PyTree", "TreeSpec", "register_pytree_node", "tree_all", "tree_any",
    "tree_flatten",
    "tree_iter", "tree_leaves", "tree_map", "tree_map_", "tree_map_only", "tree_structure",
    "tree_unflatten",
]  # fmt: skip
PyTree = Any


class _Node(NamedTuple):
    flatten: Callable[[Any], tuple[list[Any], Any]]
    unflatten: Callable[[Any, Any], Any]


NODES: dict[type, _Node] = {}


def register_pytree_node(
    cls: type, flatten_fn: Any, unflatten_fn: Any, *, serialized_type_name: Any = None,
    to_dumpable_context: Any = None, from_dumpable_context: Any = None,
    flatten_with_keys_fn: Any = None,
) -> None:  # fmt: skip
    """Objects of `cls` are nodes: `flatten_fn(x)` is (children, context)."""
    if cls in NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    NODES[cls] = _Node(flatten_fn, unflatten_fn)


def _values(d: Any) -> tuple[list[Any], Any]:
    return list(d.values()), list(d)


register_pytree_node(tuple, lambda x: (list(x), None), lambda c, _: tuple(c))
register_pytree_node(list, lambda x: (x, None), lambda c, _: list(c))
register_pytree_node(dict, _values, lambda c, keys: dict(zip(keys, c, strict=True)))
register_pytree_node(OrderedDict, _values, lambda c, keys: OrderedDict(zip(keys, c, strict=True)))
register_pytree_node(
    defaultdict,
    lambda d: (list(d.values()), [d.default_factory, list(d)]),
    lambda c, context: defaultdict(context[0], zip(context[1], c, strict=True)),
)
register_pytree_node(deque, lambda d: (list(d), d.maxlen), lambda c, n: deque(c, maxlen=n))
register_pytree_node(namedtuple, lambda x: (list(x), type(x)), lambda c, cls: cls(*c))  # type: ignore[arg-type]


def _kind(x: Any) -> Any:
    if isinstance(x, tuple) and hasattr(type(x), "_fields") and type(x).__bases__ == (tuple,):
        return namedtuple
    return type(x)


@dataclass
class TreeSpec:
    """The shape of a tree: what kind of node, and the shapes below it."""

    type: Any
    context: Any
    children_specs: list[TreeSpec] = field(default_factory=list)

    @property
    def num_leaves(self) -> int:
        """How many leaves the tree has."""
        return 1 if self.type is None else sum(c.num_leaves for c in self.children_specs)

    @property
    def num_children(self) -> int:
        """How many branches leave this node."""
        return len(self.children_specs)

    def is_leaf(self) -> bool:
        """Whether this is a leaf."""
        return self.type is None

    def unflatten(self, leaves: Iterable[Any]) -> PyTree:
        """The tree of this shape with these leaves."""
        return tree_unflatten(leaves, self)


class LeafSpec(TreeSpec):
    """The shape of a single leaf."""

    def __init__(self) -> None:
        super().__init__(None, None, [])


def tree_flatten(tree: PyTree, is_leaf: Any = None) -> tuple[list[Any], TreeSpec]:
    """(the leaves from left to right, the shape)."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: Any, leaves: list[Any], is_leaf: Any) -> TreeSpec:
    kind = _kind(tree)
    if kind not in NODES or (is_leaf is not None and is_leaf(tree)):
        leaves.append(tree)
        return LeafSpec()
    children, context = NODES[kind].flatten(tree)
    return TreeSpec(kind, context, [_flatten(c, leaves, is_leaf) for c in children])


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """The tree of that shape with these leaves."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            "tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but "
            f"got item of type {type(treespec)}."
        )
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec "
            f"refers to a pytree that holds {treespec.num_leaves} items ({treespec})."
        )
    return _unflatten(iter(leaves), treespec)


def _unflatten(leaves: Any, spec: TreeSpec) -> Any:
    if spec.type is None:
        return next(leaves)
    return NODES[spec.type].unflatten(
        [_unflatten(leaves, c) for c in spec.children_specs], spec.context
    )


def tree_leaves(tree: PyTree, is_leaf: Any = None) -> list[Any]:
    """The leaves from left to right."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: PyTree, is_leaf: Any = None) -> Iterable[Any]:
    """The leaves one after the other."""
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree: PyTree, is_leaf: Any = None) -> TreeSpec:
    """The shape."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Any, tree: PyTree, *rests: PyTree, is_leaf: Any = None) -> PyTree:
    """The tree with `func` of each leaf, and of the leaves of `rests` in the same places."""
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [_flatten_up_to(r, spec) for r in rests]
    return tree_unflatten([func(*xs) for xs in zip(leaves, *others, strict=True)], spec)


def _flatten_up_to(tree: Any, spec: TreeSpec) -> list[Any]:
    if spec.type is None:
        return [tree]
    if _kind(tree) is not spec.type:
        raise ValueError(f"Node type mismatch; expected {spec.type}, but got {type(tree)}.")
    children, _ = NODES[spec.type].flatten(tree)
    if len(children) != spec.num_children:
        raise ValueError(
            f"Node arity mismatch; expected {spec.num_children}, but got {len(children)}."
        )
    below = zip(children, spec.children_specs, strict=True)
    return [leaf for child, s in below for leaf in _flatten_up_to(child, s)]


def tree_map_(func: Any, tree: PyTree, *rests: PyTree, is_leaf: Any = None) -> PyTree:
    """Call `func` on each leaf; returns the tree itself."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(type_or_types: Any, func: Any, tree: PyTree, is_leaf: Any = None) -> PyTree:
    """`tree_map` on the leaves of certain types, or those that a predicate picks."""
    pick = type_or_types
    if isinstance(pick, type | tuple):
        return tree_map(lambda x: func(x) if isinstance(x, pick) else x, tree, is_leaf=is_leaf)
    return tree_map(lambda x: func(x) if pick(x) else x, tree, is_leaf=is_leaf)


def tree_all(pred: Any, tree: PyTree, is_leaf: Any = None) -> bool:
    """Whether `pred` holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Any, tree: PyTree, is_leaf: Any = None) -> bool:
    """Whether `pred` holds for a leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))
