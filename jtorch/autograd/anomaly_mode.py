"""`detect_anomaly`: which forward line made the node whose gradient fails or is not a number."""

from __future__ import annotations

import traceback
import warnings
from typing import Any

from .._engine import backward, recorder

_Plain = backward.OpNode


class _Traced(_Plain):
    """The node of an op that remembers where the op was called."""

    __slots__ = ("stack",)

    def __init__(self, sig: Any, flat: Any, edges: Any) -> None:
        super().__init__(sig, flat, edges)
        frames = [f for f in traceback.extract_stack() if "/jtorch/" not in f.filename]
        self.stack = "".join(traceback.format_list(frames))

    def pull(self, cts: Any, create_graph: bool, keep: bool) -> Any:
        """Pull, and look at what comes out."""
        try:
            grads = super().pull(cts, create_graph, keep)
            if _state.check_nan:
                self._check(grads)
        except RuntimeError:
            warnings.warn(
                f"Error detected in {self.name()}. Traceback of forward call that caused the "
                f"error:\n{self.stack}",
                stacklevel=2,
            )
            raise
        return grads

    def _check(self, grads: Any) -> None:
        for i, g in enumerate(grads):
            if g is not None and g[0].aval.dtype.is_floating_point:
                array = recorder.concrete(g[0], "detect_anomaly")
                if bool((array != array).any()):
                    raise RuntimeError(
                        f"Function '{self.name()}' returned nan values in its {i}th output."
                    )


class _State:
    enabled = False
    check_nan = True


_state = _State()


def _set(enabled: bool, check_nan: bool) -> None:
    _state.enabled, _state.check_nan = enabled, check_nan
    backward.OpNode = _Traced if enabled else _Plain  # type: ignore[misc]


class set_detect_anomaly:
    """Turn anomaly detection on or off, now or for a `with` block; it is slow."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.prev = (_state.enabled, _state.check_nan)
        _set(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: Any) -> None:
        _set(*self.prev)


class detect_anomaly:
    """Anomaly detection for a `with` block; it is slow."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self.prev = (_state.enabled, _state.check_nan)
        _set(True, self.check_nan)

    def __exit__(self, *args: Any) -> None:
        _set(*self.prev)


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return _state.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether it looks for NaN, too."""
    return _state.check_nan
