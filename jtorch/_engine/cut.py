"""Where to cut a pending program that nobody syncs: at its period, so that every piece is the same.

Two rules. (1) Gradient accumulation: when the stretch between two ends of `backward` repeats, each
stretch becomes a program. (2) Any other loop without a sync: when a long pending program is found
to repeat with some period, it is cut into equal chunks of whole periods at the place where the
fewest results cross. Both remember what they found, so that the next round is cut at the same
places, and both leave the newest stretch pending: its temporaries are still held by the frames that
are running, and would make its outputs differ from those of the stretches before it.
"""

from __future__ import annotations

from .program import Program

CHECK = 512  # instructions before the first look for a period
CHECK_WITH_GRAPH = 4096  # the same while a graph waits for its backward: cutting it costs fusion
CHUNK = 128  # a chunk is the smallest number of whole periods with this many instructions
LIMIT = 16384  # run a program this long whatever it looks like

Parts = tuple[Program | None, list[Program]]


def find_period(ids: list[int]) -> tuple[int, int]:
    """(period, length of the repeating tail) of a sequence; (0, 0) when no tail repeats 3 times."""
    r = ids[::-1]
    fail = [0] * len(r)
    best = (0, 0)
    k = 0
    for i in range(1, len(r)):
        while k and r[i] != r[k]:
            k = fail[k - 1]
        if r[i] == r[k]:
            k += 1
        fail[i] = k
        period = i + 1 - k
        if period * 3 <= i + 1 > best[1]:
            best = (period, i + 1)
    return best


def quiet_place(program: Program, period: int) -> int:
    """The instruction of the last period but one that fewest results cross when cut before it."""
    n = len(program.starts)
    first = n - 2 * period
    crossing = [0] * period
    slot_at: list[int] = []
    slots = 0
    listing = list(program.instructions())
    for sig, _ in listing:
        slot_at.append(slots)
        slots += len(sig.outs)
    for c in range(period):
        at = first + c
        seen: set[int] = set()
        for _, operands in listing[at : at + period]:
            seen.update(i for i in operands if 0 <= i < slot_at[at])
        crossing[c] = len(seen)
    return first + min(range(period), key=crossing.__getitem__)


class Cutter:
    """What one thread knows about the loops it runs."""

    def __init__(self) -> None:
        self.chunk: list[int] = []  # signature ids of the known chunk of a loop without backward
        self.period = 0
        self.segment: tuple[int, ...] = ()  # the last stretch between two ends of backward
        self.repeating: set[int] = set()  # hashes of stretches known to repeat
        self.following = False  # the last cut was at a known chunk: expect the next one

    def first_check(self) -> int:
        """Instructions a new program may take before it is looked at."""
        return CHECK

    def restart(self) -> None:
        """Somebody synced: a stretch that comes next does not follow the last one."""
        self.segment, self.following = (), False

    def consider(self, program: Program) -> Parts:
        """Look at a program that has grown long; returns (what stays pending, what runs now)."""
        ids = program.ids()
        program.leaf_bytes = 0  # looked at; the next look is that much data later
        if self.following:
            if ids[: len(self.chunk)] == self.chunk:
                return self._chunks(program, 0)
            self.following = False
            program.next_check = max(CHECK, 2 * len(ids))
            return program, []
        if program.grads and len(ids) < CHECK_WITH_GRAPH:
            program.next_check = CHECK_WITH_GRAPH
            return program, []
        parts = self._at_known_chunk(program, ids) or self._at_new_period(program, ids)
        if parts is not None:
            return parts
        if len(ids) >= LIMIT:
            return None, [program]
        program.next_check = min(2 * len(ids), LIMIT)
        return program, []

    def _at_known_chunk(self, program: Program, ids: list[int]) -> Parts | None:
        size = len(self.chunk)
        if not size:
            return None
        for at in range(len(ids) - size - self.period + 1):
            if ids[at : at + size] == self.chunk:
                return self._chunks(program, at)
        return None

    def _at_new_period(self, program: Program, ids: list[int]) -> Parts | None:
        period, tail = find_period(ids)
        if not period or tail < len(ids) // 2:
            return None
        boundary = quiet_place(program, period)
        start = len(ids) - tail
        size = min(period * -(-CHUNK // period), period * ((boundary - start) // period))
        if size < period:
            return None
        self.chunk, self.period = ids[boundary - size : boundary], period
        first = boundary - size
        while first - size >= start and ids[first - size : first] == self.chunk:
            first -= size
        return self._chunks(program, first)

    def _chunks(self, program: Program, first: int) -> Parts:
        """Cut off what comes before `first`, then whole chunks; at least a period stays pending."""
        ready = []
        if first:
            head, program = program.split(first)
            ready.append(head)
        size = len(self.chunk)
        while len(program.starts) >= size + self.period and program.ids()[:size] == self.chunk:
            head, program = program.split(size)
            ready.append(head)
        self.following = True
        program.next_check = size + self.period
        return program, ready

    def backward_ended(self, program: Program) -> Parts:
        """Called at the end of each backward; returns (what stays pending, what runs now)."""
        ids = program.ids()
        start, program.mark, program.grads = program.mark, len(ids), False
        segment = tuple(ids[start:])
        repeats = segment == self.segment
        self.segment = segment
        if repeats:
            self.repeating.add(hash(segment))
        if not start or hash(segment) not in self.repeating:
            return program, []
        ready = []
        first = start - len(segment)
        if repeats and first > 0 and tuple(ids[first:start]) == segment:
            head, program = program.split(first)  # what came before the first repeat
            ready.append(head)
            start -= first
        head, program = program.split(start)
        return program, [*ready, head]
