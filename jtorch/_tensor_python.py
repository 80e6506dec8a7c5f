"""The part of `Tensor` that is Python's protocol: numbers, iteration, NumPy, JAX, copies, text."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _gate
from ._engine import dtype as _dtype
from ._engine import executor, recorder
from ._engine.device import META
from ._engine.value import Value, from_array
from ._gate import TensorBase, alias, wrap
from ._tensor_duals import tangent_of
from ._tensor_str import tensor_str


class PythonMixin(TensorBase):
    """Conversions out of the machine; each one needs the number and so runs what is pending."""

    __slots__ = ()

    def _array(self, reason: str) -> Any:
        return recorder.concrete(self._value, reason)

    def _numpy(self, reason: str) -> np.ndarray[Any, Any]:
        """A NumPy view of the content; never handed to users, who may write to theirs."""
        if self.is_meta and reason in ("item()", "bool()"):  # type: ignore[attr-defined]
            raise RuntimeError("Tensor.item() cannot be called on meta tensors")
        return np.asarray(self._array(reason))

    def item(self) -> Any:
        """The single element as a Python number."""
        n = self._value.aval.numel
        if n != 1:
            raise RuntimeError(f"a Tensor with {n} elements cannot be converted to Scalar")
        return self._numpy("item()").item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self._numpy("tolist()").tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """A NumPy array with a copy of the content.  Differs from torch: writes are not shared."""
        if force:
            return self.detach().cpu().numpy()  # type: ignore[attr-defined, no-any-return]
        if self._edge() is not None:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        aval = self._value.aval
        if aval.place.device.type != "cpu":
            raise TypeError(
                f"can't convert {aval.place.device} device type tensor to numpy. Use "
                "Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
        if aval.dtype is _dtype.bfloat16 or aval.dtype.name.startswith("float8"):
            raise TypeError(f"Got unsupported ScalarType {aval.dtype.scalar_name}")
        return np.array(self._numpy("numpy()"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    __array_priority__ = 1000

    def jax(self) -> Any:
        """The content as a `jax.Array` (or the tracer, inside a JAX transformation)."""
        array = self._array("jax()")
        if type(array) is np.ndarray:
            executor.materialise(self._value)
            array = self._value.array
        return array

    def __jax_array__(self) -> Any:
        return self.jax()

    def __dlpack__(self, **options: Any) -> Any:
        return self.jax().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.jax().__dlpack_device__()

    def __bool__(self) -> bool:
        n = self._value.aval.numel
        if n == 1:
            return bool(self._numpy("bool()").item())
        if n == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")

    def _scalar(self) -> Any:
        if self._value.aval.numel != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def __int__(self) -> int:
        return int(self._scalar())

    def __float__(self) -> float:
        return float(self._scalar())

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def __index__(self) -> int:
        aval = self._value.aval
        if not aval.dtype.is_integral or aval.numel != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __len__(self) -> int:
        shape = self._value.aval.shape
        if not shape:
            raise TypeError("len() of a 0-d tensor")
        return shape[0]

    def __iter__(self) -> Any:
        if self._value.aval.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))  # type: ignore[attr-defined]

    def __contains__(self, element: Any) -> bool:
        return bool((element == self).any())  # type: ignore[attr-defined]

    __hash__ = TensorBase.__hash__  # by identity

    def __format__(self, spec: str) -> str:
        # torch formats a tensor without dimensions as its number, subclasses (`Parameter`) apart
        if self._value.aval.ndim == 0 and type(self) is _gate._tensor_class:
            return format(self.item(), spec)
        return object.__format__(self, spec) if spec else repr(self)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        value = self._value
        edge = self._edge()
        name = type(self).__name__
        shown: Any = {
            "requires_grad": edge is not None and type(edge) is not tuple,
            "grad_fn_name": edge[0].name() if type(edge) is tuple else None,
            "device": str(value.aval.place.device),
            "contents": tensor_contents,
        }
        if (tangent := tangent_of(value)) is not None:
            shown["tangent"] = repr(tangent)
        if name not in ("Tensor", "Parameter", "Buffer"):
            shown["prefix"] = f"{name}("
        if (
            value.aval.place.traced
        ):  # inside a JAX transformation there is nothing to print but shape
            return tensor_str(None, value.aval.dtype, size=value.aval.shape, **shown)
        return tensor_str(self._numpy("print"), value.aval.dtype, **shown)

    def __copy__(self) -> Any:
        new = alias(self, type(self))
        new._req, new._grad = self._req, None
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        if type(self._edge()) is tuple:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
                "because of a torch.nn.utils.weight_norm usage, see "
                "https://github.com/pytorch/pytorch/pull/103001"
            )
        new = _on_copied_storage(self, memo)
        new._req = self._req
        memo[id(self)] = new
        if self._grad is not None:
            new._grad = self._grad.__deepcopy__(memo)
        for name, attribute in self.__dict__.items():
            import copy

            new.__dict__[name] = copy.deepcopy(attribute, memo)
        return new

    def __reduce_ex__(self, protocol: Any) -> Any:
        value = self._numpy("pickle")
        place = self._value.aval.place.device
        return _rebuild, (type(self), np.array(value), str(place), self._req, dict(self.__dict__))


def _on_copied_storage(t: Any, memo: dict[int, Any]) -> Any:
    """The same part of a copy of the storage; tensors that shared the storage share the copy."""
    storage = memo.get(id(t._storage))
    new = wrap(_copied(t._storage.value), None, type(t))
    if storage is None:
        memo[id(t._storage)] = new._storage
    else:
        new._storage = storage
    if t._chain:
        new._chain = tuple(t._chain)
        new._refresh()
    return new


def _copied(value: Value) -> Value:
    """A Value that shares nothing that a program might overwrite."""
    array = None if value.aval.place is META else recorder.concrete(value, "copy")
    return Value(value.aval, array)


def _rebuild(cls: type, array: Any, device: str, requires_grad: bool, attributes: Any) -> Any:
    t = wrap(from_array(array), None, cls)
    if device != "cpu":
        t = t.to(device)
    t._req = requires_grad
    t.__dict__.update(attributes)
    return t
