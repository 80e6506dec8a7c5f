"""Dtypes of a few bits: names to tell formats apart by, which no tensor has."""

from __future__ import annotations

from typing import Any

from .dtype import TAGS, dtype


def _tag(name: str, scalar_name: str, itemsize: int = 1) -> dtype:
    new = object.__new__(dtype)
    fields: dict[str, Any] = {
        "name": name, "scalar_name": scalar_name, "abbr": name, "itemsize": itemsize,
        "is_complex": False, "is_integral": False, "is_floating_point": name.startswith("float"),
        "is_signed": name.startswith(("int", "float")), "_float8": False, "_barebones": True,
    }  # fmt: skip
    for field, value in fields.items():
        object.__setattr__(new, field, value)
    return new


for _bits in range(1, 8):
    TAGS[f"int{_bits}"] = _tag(f"int{_bits}", f"Int{_bits}")
    TAGS[f"uint{_bits}"] = _tag(f"uint{_bits}", f"UInt{_bits}")
for _name in ("8", "1x8", "2x4", "4x2"):
    TAGS[f"bits{_name}"] = _tag(f"bits{_name}", f"Bits{_name}")
TAGS["bits16"] = _tag("bits16", "Bits16", 2)
TAGS["float4_e2m1fn_x2"] = _tag("float4_e2m1fn_x2", "Float4_e2m1fn_x2")
TAGS["bit"] = TAGS["uint1"]
