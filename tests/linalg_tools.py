"""Comparison of results of matrix functions, with a tolerance for their condition."""

from __future__ import annotations

from typing import Any

import numpy as np
from differential import as_numpy, is_tensor

TOLERANCE = 1e-9  # float64, matrices of condition below a hundred


def assert_close(want: Any, got: Any, where: str) -> None:
    """Same structure, field names, shapes and dtypes; values to nine digits."""
    if isinstance(want, Exception) or isinstance(got, Exception):
        raise AssertionError(f"{where}: torch gave {want!r}, jtorch gave {got!r}")
    if isinstance(want, tuple | list):
        assert len(want) == len(got), where
        if hasattr(want, "n_fields"):  # torch.return_types
            for field, w in zip(got._fields, want, strict=True):
                assert getattr(want, field) is w, f"{where}: field {field}"
        for i, (w, g) in enumerate(zip(want, got, strict=True)):
            assert_close(w, g, f"{where} [{i}]")
        return
    assert is_tensor(want) and is_tensor(got), where
    assert (tuple(got.shape), str(got.dtype)) == (tuple(want.shape), str(want.dtype)), where
    np.testing.assert_allclose(
        as_numpy(got), as_numpy(want), rtol=TOLERANCE, atol=TOLERANCE, err_msg=where
    )
