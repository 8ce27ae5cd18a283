"""What a kernel's machine code takes a sample, by its assembly: instructions, bytes, cycles of a warp alone.

A loop over samples branches. Where a comparison of floating-point numbers decides, as for the limit of an adaptation
loop, some channel of 32 may go the longer way, so that the longer one counts, as it does where no sample changes what
decides; else a counter decides, and what it leads to, the end of a frame, a checkpoint, an update, is rare, so that the
shorter one counts.
"""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

LEAST = 30  # instructions of a loop over samples
# Cycles after which a result is there, of operations that take longer than ARITHMETIC; those of a load are of a memory.
ARITHMETIC, LATENCY = (
    5,
    {"MUFU": 22, "SHFL": 24, "LDS": 28, "LDC": 30, "I2F": 14, "F2F": 14, "DADD": 8, "DFMA": 8, "DMUL": 8},
)
# Cycles for which an operation keeps its unit of a scheduler, where more than 1.
BUSY = {
    "MUFU": 8,
    "SHFL": 4,
    "LDG": 4,
    "STG": 4,
    "LDS": 4,
    "STS": 4,
    "F2F": 8,
    "I2F": 8,
    "DADD": 2,
    "DFMA": 2,
    "DMUL": 2,
}
FROM_L1, FROM_L2 = 35, 260  # of loads forwards, of the sound, and backwards, of a tape
BARRIERS = ("BSSY", "BSYNC", "WARPSYNC", "NOP")


class Instruction(NamedTuple):
    """One of a kernel: its operation, with suffixes, its operands, and whether a predicate guards it."""

    name: str
    operands: str
    is_guarded: bool

    @property
    def operation(self) -> str:
        return self.name.split(".")[0]

    @property
    def bytes(self) -> int:
        """Of a thread, in the device's memory."""
        if self.operation not in ("LDG", "STG", "RED"):
            return 0
        wide = re.search(r"\.F?(64|128)\b", self.name)
        return int(wide.group(1)) // 8 if wide else 4

    @property
    def registers(self) -> list[str]:
        """Registers and predicates in their order; a pair, for an address or a double, counts as its first."""
        return re.findall(r"\bU?[RP]\d+\b", self.operands)

    @property
    def writes(self) -> list[str]:
        """Those that it changes."""
        if self.operation in ("STG", "STS", "STL", "BRA", "EXIT", "BAR", "RED") or self.operation in BARRIERS:
            return []
        predicates, registers = r"(?:U?P(?:\d+|T),?)*", r"(?:U?R(?:\d+|Z))(?:,U?P\d+)?"
        only_predicates = self.operation.endswith(("SETP", "PLOP3"))
        first = re.match(predicates if only_predicates else predicates + registers, self.operands)
        return re.findall(r"U?[RP]\d+", first.group()) if first else []


class Loop(NamedTuple):
    """A loop over samples, as its instructions follow each other in one."""

    instructions: list[Instruction]
    rare: list[Instruction]  # all others that lie in it

    @property
    def n_samples(self) -> int:
        """Of a turn, since a loop may be unrolled.

        A sample loads one number from the device's memory, if any, the sound; else it stores one, a bar, or else loads
        one from shared memory. Of a tape in the device's memory it loads many.
        """
        memory = Counter(own.operation for own in self.instructions)
        found = memory["LDG"] or memory["STG"] or memory["LDS"] or 1
        return found if found <= 4 else 1

    @property
    def count(self) -> float:
        """Instructions of a sample."""
        return len(self.instructions) / self.n_samples

    @property
    def bytes(self) -> float:
        """Of a sample and thread, in the device's memory."""
        return sum(own.bytes for own in self.instructions) / self.n_samples

    def cycles(self, from_memory: int, turns: int = 6) -> float:
        """Of a turn, where a warp has its scheduler to itself: in order, each as soon as what it takes is there."""
        ready: dict[str, int] = {}
        free: Counter[str] = Counter()
        now, ends = 0, []
        for _ in range(turns):
            for own in self.instructions:
                written, busy = own.writes, BUSY.get(own.operation, 1)
                now = max(
                    [now + 1, free[own.operation], *(ready.get(name, 0) for name in own.registers[len(written) :])]
                )
                if own.is_guarded:
                    now = max([now, *(ready.get(name, 0) for name in written)])
                free[own.operation] = now + busy
                after = from_memory if own.operation == "LDG" else LATENCY.get(own.operation, ARITHMETIC)
                ready |= dict.fromkeys(written, now + after)
            ends.append(now)
        return (ends[-1] - ends[1]) / (turns - 2) / self.n_samples

    def issue(self) -> float:
        """Cycles of a scheduler that it takes, by the unit that is busy for longest."""
        units = Counter[str]()
        for own in self.instructions:
            units[own.operation] += BUSY.get(own.operation, 1)
        memory = sum(units[name] for name in ("LDG", "STG", "SHFL", "LDS", "STS"))
        return max(len(self.instructions), memory, *units.values()) / self.n_samples


class Program:
    """A kernel's instructions, and the blocks that branches cut them into."""

    def __init__(self, cubin: Path, disassembler: str) -> None:
        told = subprocess.run([disassembler, "-json", str(cubin)], capture_output=True, text=True, check=True).stdout
        (code,) = [own["sass-instructions"] for own in json.loads(told)[1] if own["function-name"] == "kernel"]
        self.instructions = [
            Instruction(own["opcode"], own.get("operands", ""), "predicate" in own or ".DIV" in own["opcode"])
            for own in code
        ]
        self.predicates = [own.get("predicate", "").lstrip("@!") for own in code]
        targets, starts = {}, {0}
        for i, own in enumerate(self.instructions):
            if own.operation == "BRA":
                targets[i] = int(re.search(r"0x([0-9a-f]+)$", own.operands).group(1), 16) // 16
                starts |= {targets[i], i + 1}
            elif own.operation in ("EXIT", "RET"):
                starts.add(i + 1)
        begins = sorted(start for start in starts if start < len(code))
        self.blocks = list(zip(begins, [*begins[1:], len(code)]))
        number = {begin: k for k, begin in enumerate(begins)}
        self.followers = [self._followers(k, end - 1, targets, number) for k, (_, end) in enumerate(self.blocks)]

    def _followers(self, k: int, last: int, targets: dict[int, int], number: dict[int, int]) -> list[int]:
        """Blocks that may come next; threads of a warp are together where they shuffle."""
        own = self.instructions[last]
        next_one = [k + 1] if k + 1 < len(self.blocks) else []
        if last in targets:
            is_sometimes = own.is_guarded or re.match(r"!?U?P\d", own.operands) is not None
            return ([] if ".DIV" in own.name else [number[targets[last]]]) + (next_one if is_sometimes else [])
        return next_one if own.operation not in ("EXIT", "RET") or own.is_guarded else []

    def size(self, k: int) -> int:
        return sum(own.operation not in BARRIERS for own in self.instructions[slice(*self.blocks[k])])

    @cached_property
    def _loops(self) -> dict[int, tuple[set[int], list[int]]]:
        """Blocks of every loop, and those that lead back, by the first."""
        reached, waiting = set[int](), [0]
        while waiting:
            k = waiting.pop()
            if k not in reached:
                reached.add(k)
                waiting += self.followers[k]
        before: dict[int, list[int]] = {k: [] for k in reached}
        for k in reached:
            for after in self.followers[k]:
                before[after].append(k)
        dominators = {k: set(reached) for k in reached} | {0: {0}}
        changed = True
        while changed:
            changed = False
            for k in sorted(reached - {0}):
                found = set.intersection(*(dominators[own] for own in before[k])) | {k}
                changed |= found != dominators[k]
                dominators[k] = found
        loops: dict[int, tuple[set[int], list[int]]] = {}
        for k in reached:
            for head in set(self.followers[k]) & dominators[k]:
                body, backs = loops.setdefault(head, ({head}, []))
                backs.append(k)
                waiting = [k]
                while waiting:
                    own = waiting.pop()
                    if own not in body:
                        body.add(own)
                        waiting += before[own]
        return loops

    def loops(self) -> tuple[list[Loop], list[Instruction], list[Instruction]]:
        """Loops over samples, one after the other, and the instructions of what goes around them.

        Those of the loops around one or two of them, a block's, then of the loop around all, a segment's; where no
        loops lie between, all are a block's.
        """
        large = {head: body for head, (body, _) in self._loops.items() if sum(map(self.size, body)) >= LEAST}
        leaves = [head for head in sorted(large) if not any(own in large[head] for own in large if own != head)]
        around = [head for head in large if head not in leaves]
        if not around:
            return [self._loop(head) for head in leaves], [], []
        outermost = max(around, key=lambda head: len(large[head]))
        within = set().union(*(large[head] for head in leaves))
        path = self._way(outermost, leaves, within)
        blocks = set[int]().union(*(large[head] for head in around if head != outermost)) or large[outermost]
        outside = [k for k in path if k not in within]
        of_block, of_segment = (self._code([k for k in outside if (k in blocks) == own]) for own in (True, False))
        return [self._loop(head) for head in leaves if head in path], of_block, of_segment

    def _code(self, blocks: Iterable[int]) -> list[Instruction]:
        """Instructions of some blocks."""
        code = (self.instructions[slice(*self.blocks[k])] for k in blocks)
        return [one for block in code for one in block if one.operation not in BARRIERS]

    def _loop(self, head: int) -> Loop:
        way = self._way(head, [], set())
        return Loop(self._code(way), self._code(self._loops[head][0] - set(way)))

    def _way(self, head: int, leaves: list[int], within: set[int]) -> list[int]:
        """Blocks of a turn of a loop, through as many of the loops in it as may be, whose own do not count."""
        body, backs = self._loops[head]
        changed = {name for k in body for own in self.instructions[slice(*self.blocks[k])] for name in own.writes}
        found: dict[int, tuple[int, int, list[int]] | None] = {}

        def way(k: int, passed: frozenset[int]) -> tuple[int, int, list[int]] | None:
            """Loops passed, instructions, blocks, from one to the end of the turn."""
            if k not in found:
                ahead = [after for after in self.followers[k] if after in body - passed - {head}]
                ways = [own for after in ahead if (own := way(after, passed | {k}))] + [(0, 0, [])] * (k in backs)
                sign = 1 if self._is_long(k, changed) else -1
                best = max(ways, key=lambda own: (own[0], sign * own[1]), default=None)
                size = 0 if k in within else self.size(k)
                found[k] = best and (best[0] + (k in leaves), best[1] + size, [k, *best[2]])
            return found[k]

        return way(head, frozenset())[2]

    def _is_long(self, k: int, changed: set[str]) -> bool:
        """Whether the longer way from a block counts: numbers decide, or what no sample changes, such as the lane."""
        last = self.blocks[k][1] - 1
        named = re.match(r"!?(U?P\d)", self.instructions[last].operands)
        decided_by = self.predicates[last] or (named.group(1) if named else "")
        for own in reversed(self.instructions[max(0, last - 60) : last]):
            if decided_by and decided_by in own.writes:
                return own.operation == "FSETP" or not changed & set(own.registers[len(own.writes) :])
        return bool(decided_by)
