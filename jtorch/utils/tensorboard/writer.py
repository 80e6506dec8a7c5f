"""`SummaryWriter`: what a training run logs, in files that TensorBoard shows."""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import Any

import numpy as np

from . import _events, _summary

_counter = 0


class FileWriter:
    """One event file, complete up to the last record."""

    def __init__(
        self, log_dir: Any, max_queue: int = 10, flush_secs: int = 120, filename_suffix: str = ""
    ) -> None:
        global _counter
        os.makedirs(str(log_dir), exist_ok=True)
        now = time.time()
        name = (
            f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{_counter}"
        )
        _counter += 1
        self._log_dir = str(log_dir)
        self._file = open(os.path.join(self._log_dir, name + filename_suffix), "ab")  # noqa: SIM115
        self._queue, self._max, self._every, self._last = 0, max_queue, flush_secs, now
        self._write(_events.version(now))
        self.flush()

    def get_logdir(self) -> str:
        """The folder."""
        return self._log_dir

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._queue += 1
        if self._queue >= self._max or time.time() - self._last > self._every:
            self.flush()

    def add_summary(
        self, values: bytes, global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Append values of a step."""
        step = None if global_step is None else int(_summary.as_array(global_step))
        when = time.time() if walltime is None else walltime
        self._write(_events.event(when, step, _events.summary(values)))

    def flush(self) -> None:
        """Hand what is waiting to the operating system."""
        self._file.flush()
        self._queue, self._last = 0, time.time()

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()

    def reopen(self) -> None:
        """Continue the file after `close`."""
        if self._file.closed:
            self._file = open(self._file.name, "ab")  # noqa: SIM115


class SummaryWriter:
    """Logs scalars, histograms, images, figures, text and audio to event files in `log_dir`."""

    def __init__(
        self, log_dir: Any = None, comment: str = "", purge_step: int | None = None,
        max_queue: int = 10, flush_secs: int = 120, filename_suffix: str = "",
    ) -> None:  # fmt: skip
        if purge_step is not None:
            raise NotImplementedError(
                "SummaryWriter(purge_step=...): log a resumed run to a folder of its own."
            )
        if not log_dir:
            stamp = time.strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{stamp}_{socket.gethostname()}{comment}")
        self.log_dir, self.purge_step = log_dir, purge_step
        self.max_queue, self.flush_secs, self.filename_suffix = (
            max_queue,
            flush_secs,
            filename_suffix,
        )
        self.file_writer: FileWriter | None = None
        self.all_writers: dict[str, FileWriter] | None = None
        self._get_file_writer()

    def _open(self, folder: str) -> FileWriter:
        return FileWriter(folder, self.max_queue, self.flush_secs, self.filename_suffix)

    def _get_file_writer(self) -> FileWriter:
        if self.all_writers is None or self.file_writer is None:
            self.file_writer = self._open(self.log_dir)
            self.all_writers = {str(self.file_writer.get_logdir()): self.file_writer}
        return self.file_writer

    def _add(self, values: bytes, step: Any, walltime: float | None) -> None:
        self._get_file_writer().add_summary(values, step, walltime)

    def get_logdir(self) -> Any:
        """The folder."""
        return self.log_dir

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: Any = None, walltime: float | None = None,
        new_style: bool = False, double_precision: bool = False,
    ) -> None:  # fmt: skip
        """One number of a step."""
        if new_style or double_precision:
            raise NotImplementedError(
                "add_scalar(new_style=True) and double_precision=True are not written; plain "
                "scalars show the same curves."
            )
        self._add(_summary.scalar(tag, scalar_value), global_step, walltime)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: dict[str, Any], global_step: Any = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Several numbers in one plot: each in a sub-folder of its own."""
        main = self._get_file_writer()
        assert self.all_writers is not None
        for tag, value in tag_scalar_dict.items():
            folder = os.path.join(main.get_logdir(), f"{main_tag.replace('/', '_')}_{tag}")
            if folder not in self.all_writers:
                self.all_writers[folder] = self._open(folder)
            values = _summary.scalar(main_tag, value)
            self.all_writers[folder].add_summary(values, global_step, walltime)

    def add_histogram(
        self, tag: str, values: Any, global_step: Any = None, bins: Any = "tensorflow",
        walltime: float | None = None, max_bins: int | None = None,
    ) -> None:  # fmt: skip
        """The distribution of values."""
        self._add(_summary.histogram(tag, values, bins, max_bins), global_step, walltime)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:  # fmt: skip
        """A picture."""
        self._add(_summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:  # fmt: skip
        """Pictures beside each other."""
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_figure(
        self, tag: str, figure: Any, global_step: Any = None, close: bool = True,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A Matplotlib figure, or several of one size."""
        figures = figure if isinstance(figure, list) else [figure]
        pictures = []
        for f in figures:
            f.canvas.draw()
            pictures.append(np.asarray(f.canvas.buffer_rgba())[..., :3])
            if close:
                sys.modules["matplotlib.pyplot"].close(f)
        self.add_image(tag, np.stack(pictures), global_step, walltime, "NHWC")

    def add_text(
        self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Text, in Markdown."""
        self._add(_summary.text(tag, text_string), global_step, walltime)

    def add_audio(
        self, tag: str, snd_tensor: Any, global_step: Any = None, sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Sound."""
        self._add(_summary.audio(tag, snd_tensor, sample_rate), global_step, walltime)

    def add_hparams(
        self, hparam_dict: dict[str, Any], metric_dict: dict[str, Any],
        hparam_domain_discrete: Any = None, run_name: str | None = None, global_step: Any = None,
    ) -> None:  # fmt: skip
        """The metrics as scalars and the settings as a table, in a run of their own.

        Differs from torch: a table under Text, not TensorBoard's HParams page.
        """
        if hparam_domain_discrete:
            raise NotImplementedError("add_hparams(hparam_domain_discrete=...): leave it out.")
        writer = self._open(os.path.join(str(self.log_dir), run_name or str(time.time())))
        rows = "\n".join(f"|{name}|{value}|" for name, value in hparam_dict.items())
        writer.add_summary(_summary.text("hparams", f"|name|value|\n|-|-|\n{rows}"), global_step)
        for name, value in metric_dict.items():
            writer.add_summary(_summary.scalar(name, value), global_step)
        writer.close()

    def add_graph(self, model: Any, *args: Any, **kwargs: Any) -> None:
        """There is no traced graph to draw."""
        raise NotImplementedError(
            "SummaryWriter.add_graph needs PyTorch's tracer; print(model) or jtorch.pending() show "
            "the model and its program."
        )

    def flush(self) -> None:
        """Hand what is waiting to the operating system."""
        for writer in (self.all_writers or {}).values():
            writer.flush()

    def close(self) -> None:
        """Flush and close all files; logging on opens a new one."""
        for writer in (self.all_writers or {}).values():
            writer.close()
        self.file_writer = self.all_writers = None

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *args: Any) -> None:
        self.close()
