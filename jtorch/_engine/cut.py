"""Where to cut a pending program that nobody syncs: at its period, so that every piece is the same.

Two rules. (1) Gradient accumulation: when the stretch between two ends of `backward` repeats, each
stretch becomes a program. (2) Any other loop without a sync: when a long pending program is found to
repeat with some period, it is cut into equal chunks of whole periods at the place where the fewest
results cross. Both remember what they found, so that the next round is cut at the same places.
"""

from __future__ import annotations

from .program import Program

CHECK = 512  # instructions before the first look for a period
CHECK_WITH_GRAPH = 4096  # the same while a graph waits for its backward: cutting it costs fusion
CHUNK = 128  # a chunk is the smallest number of whole periods with this many instructions
LEAF_BYTES = 256 << 20  # data a pending program may keep alive before we look at once
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
        seen = set()
        for _, operands in listing[at : at + period]:
            seen.update(i for i in operands if 0 <= i < slot_at[at])
        crossing[c] = len(seen)
    return first + min(range(period), key=crossing.__getitem__)


class Cutter:
    """What one thread knows about the loops it runs."""

    def __init__(self) -> None:
        self.chunk: list[int] = []  # signature ids of the known chunk of a loop without backward
        self.segment: tuple[int, ...] = ()  # the last stretch between two ends of backward
        self.repeating: set[int] = set()  # hashes of stretches known to repeat
        self.following = False  # the last cut was at a known chunk: expect the next one

    def first_check(self) -> int:
        """Instructions a new program may take before it is looked at."""
        return len(self.chunk) if self.following else CHECK

    def restart(self) -> None:
        """Somebody synced: a stretch that comes next does not follow the last one."""
        self.segment, self.following = (), False

    def consider(self, program: Program) -> Parts:
        """Look at a program that has grown long; returns (what stays pending, what runs now)."""
        ids = program.ids()
        if self.following and ids == self.chunk:
            return None, [program]
        if self.following:
            self.following = False
            program.next_check = CHECK
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
        for at in range(len(ids) - size + 1):
            if ids[at : at + size] == self.chunk:
                return self._chunks(program, at)
        return None

    def _at_new_period(self, program: Program, ids: list[int]) -> Parts | None:
        period, tail = find_period(ids)
        if not period or tail < len(ids) // 2:
            return None
        boundary = quiet_place(program, period)
        size = period * -(-CHUNK // period)
        size = min(size, period * ((boundary - (len(ids) - tail)) // period))
        if size < period:
            return None
        self.chunk = ids[boundary - size : boundary]
        first = boundary - size
        while first - size >= len(ids) - tail and ids[first - size : first] == self.chunk:
            first -= size
        return self._chunks(program, first)

    def _chunks(self, program: Program, first: int) -> Parts:
        """Cut off what comes before `first`, then whole chunks; the rest stays pending."""
        ready = []
        if first:
            head, program = program.split(first)
            ready.append(head)
        size = len(self.chunk)
        while program.ids()[:size] == self.chunk:
            if len(program.starts) == size:
                ready.append(program)
                self.following = True
                return None, ready
            head, program = program.split(size)
            ready.append(head)
        self.following = True
        program.next_check = size
        return program, ready

    def backward_ended(self, program: Program) -> Parts:
        """Called at the end of each backward; returns (what stays pending, what runs now)."""
        ids = program.ids()
        start, program.mark, program.grads = program.mark, len(ids), 0
        segment = tuple(ids[start:])
        repeats = segment == self.segment
        self.segment = segment
        if repeats:
            self.repeating.add(hash(segment))
        elif hash(segment) not in self.repeating:
            return program, []
        return self._stretches(program, start, repeats)

    def _stretches(self, program: Program, start: int, repeats: bool) -> Parts:
        ready = []
        if start:
            size = program.mark - start
            if repeats and start > size and program.ids()[start - size : start] == list(self.segment):
                head, program = program.split(start - size)  # both repeats are in this program
                ready.append(head)
                start = size
            head, program = program.split(start)
            ready.append(head)
        return None, [*ready, program]
