"""The runner: `python -m jtorch [options] script.py args...` runs an unmodified PyTorch script."""

from __future__ import annotations

import argparse
import builtins
import os
import runpy
import sys
import types
from typing import Any

_CACHE_BYTES = 4 << 30
_USAGE = """jtorch [options] script.py [args ...]
       jtorch [options] -m module [args ...]
       jtorch [options] -c code [args ...]
       jtorch parity [--steps N] script.py [args ...]"""


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        "jtorch", usage=_USAGE,
        description="Run a PyTorch script on JAX: `import torch` is jtorch.",
        allow_abbrev=False,
    )  # fmt: skip
    p.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="the JAX platform to run on")
    p.add_argument(
        "--eager", action="store_true", help="run each op as it is called (for debugging)"
    )
    p.add_argument("--report", action="store_true", help="print every sync and compile at exit")
    p.add_argument(
        "--cache-dir", default=_default_cache(),
        help="keep compiled programs in this folder between runs ('' for none; %(default)s)",
    )  # fmt: skip
    p.add_argument(
        "--check", action="store_true",
        help="list the torch names that the script uses and which are missing; runs nothing",
    )  # fmt: skip
    p.add_argument("--version", action="store_true", help="print the version and exit")
    return p


def split(argv: list[str]) -> tuple[list[str], str, list[str]]:
    """(our options, kind of program '', '-m' or '-c', the rest beginning with the program)."""
    i = 0
    while i < len(argv):
        a = argv[i]
        if a in ("-m", "-c"):
            return argv[:i], a, argv[i + 1 :]
        if not a.startswith("-") or a == "-":
            return argv[:i], "", argv[i:]
        i += 2 if a in ("--device", "--cache-dir") else 1
    return argv, "", []


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["parity"]:
        from . import _parity

        sys.exit(_parity.main(argv[1:]))
    ours, kind, rest = split(argv)
    options = _parser().parse_args(ours)
    if options.device:
        import jax

        jax.config.update(
            "jax_platforms", {"gpu": "cuda,cpu", "tpu": "tpu,cpu"}.get(options.device, "cpu")
        )
    if options.eager:
        os.environ["JTORCH_EXECUTION"] = "eager"
        from ._engine.config import config

        config.set("execution", "eager")
    if options.version:
        from . import __version__

        print(f"jtorch (PyTorch API {__version__})")
        return
    if not rest:
        _parser().error("no script given")
    if options.check:
        sys.exit(_check(kind, rest))
    _use_cache(options.cache_dir)
    from . import _alias

    _alias.install()
    sys.excepthook = _excepthook
    try:
        _run(kind, rest)
    finally:
        if options.report:
            from .debug import report

            print(report(), file=sys.stderr)


def _default_cache() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.environ.get("JAX_COMPILATION_CACHE_DIR") or os.path.join(base, "jtorch", "xla")


def _use_cache(folder: str) -> None:
    """Compiled programs outlive the process: the second start of a script is fast."""
    if not folder:
        return
    import jax

    jax.config.update("jax_compilation_cache_dir", os.path.abspath(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    if jax.config.jax_compilation_cache_max_size == -1:
        jax.config.update("jax_compilation_cache_max_size", _CACHE_BYTES)


def _check(kind: str, rest: list[str]) -> int:
    from . import _check

    if kind:
        sys.exit("jtorch --check needs the file of a script")
    try:
        text, missing = _check.report(rest[0])
    except OSError as e:
        sys.exit(f"jtorch: can't open file '{rest[0]}': [Errno {e.errno}] {e.strerror}")
    print(text)
    return min(missing, 1)


def _run(kind: str, rest: list[str]) -> None:
    program, args = rest[0], rest[1:]
    if kind == "-m":
        sys.argv = [program, *args]
        sys.path[0] = os.getcwd()
        runpy.run_module(program, run_name="__main__", alter_sys=True)
        return
    main_module: Any = types.ModuleType("__main__")
    main_module.__builtins__ = builtins
    if kind == "-c":
        sys.argv = ["-c", *args]
        sys.path[0] = ""
        code = compile(program, "<string>", "exec")
    else:
        sys.argv = [program, *args]
        sys.path[0] = os.path.dirname(os.path.abspath(program))
        main_module.__file__ = program
        try:
            with open(program, "rb") as f:
                source = f.read()
        except OSError as e:
            sys.exit(f"jtorch: can't open file '{program}': [Errno {e.errno}] {e.strerror}")
        code = compile(source, program, "exec")
    sys.modules["__main__"] = main_module
    exec(code, main_module.__dict__)


def _is_ours(filename: str) -> bool:
    from ._engine.stats import PACKAGE

    return (
        filename.startswith((PACKAGE, "<jtorch", "<frozen runpy"))
        or f"{os.sep}jax{os.sep}" in filename
    )


def trim(tb: Any) -> Any:
    """A traceback without the runner's frames at its start and the library's at its end."""
    frames = []
    while tb is not None:
        frames.append(tb)
        tb = tb.tb_next
    while frames and _is_ours(frames[0].tb_frame.f_code.co_filename):
        frames.pop(0)
    while len(frames) > 1 and _is_ours(frames[-1].tb_frame.f_code.co_filename):
        frames.pop()
    result = None
    for f in reversed(frames):
        result = types.TracebackType(result, f.tb_frame, f.tb_lasti, f.tb_lineno)
    return result


def _excepthook(kind: type[BaseException], error: BaseException, tb: Any) -> None:
    e: BaseException | None = error
    while e is not None:
        e.__traceback__ = trim(e.__traceback__)
        e = e.__cause__ if e.__cause__ is not None else e.__context__
    sys.__excepthook__(kind, error, error.__traceback__)


if __name__ == "__main__":
    main()
