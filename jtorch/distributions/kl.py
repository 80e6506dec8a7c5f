"""`kl_divergence`: the registry, and how the pair of a p and a q is found."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .distribution import Distribution

__all__ = ["kl_divergence", "register_kl"]

Rule = Callable[[Any, Any], Any]
_RULES: dict[tuple[type, type], Rule] = {}
_FOUND: dict[tuple[type, type], Rule | None] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Rule], Rule]:
    """A decorator: the function is KL(p || q) of these classes and of their subclasses."""
    for name, cls in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(cls, type) or not issubclass(cls, Distribution):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {cls}")

    def register(rule: Rule) -> Rule:
        _RULES[type_p, type_q] = rule
        _FOUND.clear()
        return rule

    return register


def _nearest(pairs: list[tuple[type, type]], order: tuple[int, int]) -> tuple[type, type]:
    """The most derived pair, its class at `order[0]` counting first."""

    def depth(pair: tuple[type, type]) -> tuple[int, int]:
        return tuple(-len(pair[i].__mro__) for i in order)  # type: ignore[return-value]

    return min(pairs, key=depth)


def _find(type_p: type, type_q: type) -> Rule | None:
    pairs = [(p, q) for p, q in _RULES if issubclass(type_p, p) and issubclass(type_q, q)]
    if not pairs:
        return None
    by_p, by_q = _nearest(pairs, (0, 1)), _nearest(pairs, (1, 0))
    if _RULES[by_p] is not _RULES[by_q]:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please "
            f"register_kl({by_p[0].__name__}, {by_q[1].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _RULES[by_p]


def kl_divergence(p: Any, q: Any) -> Any:
    """KL(p || q) in nats, for each of the batch."""
    key = (type(p), type(q))
    if key not in _FOUND:
        _FOUND[key] = _find(*key)
    rule = _FOUND[key]
    if rule is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
            f"{type(q).__name__}"
        )
    return rule(p, q)
