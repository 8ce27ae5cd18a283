"""What every kernel takes as machine code, and how long by that an H100 does. It writes docs/development/kernels.md.

Run it as ``python tests/kernels_table.py``, with numba-cuda[cu12] and nvidia-cuda-nvdisasm installed; it takes minutes.
"""

import sys
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import sass
from machine_code import TARGETS, Case, Launch, assemble, cases, launch_of, ptx_of, tool

PAGE = Path(__file__).parent.parent / "docs" / "development" / "kernels.md"
WORDS = Path(__file__).with_suffix(".md")  # what the page says around its tables
# An H100: schedulers, Hz, registers of a scheduler, bytes of the second-level cache, bytes a second from it and behind.
SCHEDULERS, CLOCK_HZ, REGISTERS = 132 * 4, 1.7e9, 16384
CACHE_BYTES, CACHE_RATE, MEMORY_RATE = 50e6, 5.5e12, 3.35e12
SEGMENT = 16  # samples between checkpoints
RATES_HZ = {"CARFAC": 22050, "chain": 44100}
LANES = {"CARFAC": 24, "chain": 31}  # threads of a warp that have channels
UPDATE = {
    "CARFAC": 2 * 8,
    "chain": 441,
}  # samples for each time that all that is rare happens: half of an update's stages
BATCHES = (1, 1024, 4096)


class Row(NamedTuple):
    """What is known of a kernel; loops over samples and what is around them are None without a disassembler."""

    case: Case
    registers: dict[str, int]
    spilled: dict[str, tuple[int, int, int]]
    loops: list[sass.Loop]
    n_around: int

    @property
    def is_reverse(self) -> bool:
        return "backwards" in self.case.name

    @property
    def instructions(self) -> float:
        """Of a warp, a sample, with what is rare on average."""
        rare = sum(own.n_all - own.count for own in self.loops) / UPDATE[self.case.group]
        return sum(own.count for own in self.loops) + rare + self.n_around / SEGMENT

    @property
    def cycles(self) -> float:
        """Of a sample, where a warp has its scheduler to itself; the tape comes from the second-level cache."""
        memories = [sass.FROM_L1, *[sass.FROM_L2] * (len(self.loops) - 1)]
        return sum(own.cycles(memory) for own, memory in zip(self.loops, memories)) + self.n_around / SEGMENT

    @property
    def issue(self) -> float:
        """Cycles of a sample, for which a warp keeps its scheduler."""
        return self.instructions + sum(own.issue() - own.count for own in self.loops)

    @property
    def n_resident(self) -> int:
        """Warps that a scheduler has registers for."""
        return REGISTERS // (32 * 8 * ceil(self.registers["sm_90"] / 8))

    @property
    def tape_bytes(self) -> int:
        """Of a warp and sample, that a reverse run writes and reads."""
        return sum(own.bytes for own in self.loops) * LANES[self.case.group] if self.is_reverse else 0

    def seconds(self, n_signals: int) -> float:
        """Of signals of a second, a warp each, by what binds: latency, schedulers or the memory of tapes."""
        left, total, n_samples = ceil(n_signals / SCHEDULERS), 0.0, RATES_HZ[self.case.group]
        while left > 0:
            now = min(left, self.n_resident)
            total, left = total + n_samples * max(self.cycles, now * self.issue) / CLOCK_HZ, left - now
        written = sum(i.bytes for i in self.loops[0].instructions if i.operation == "STG") * LANES[self.case.group]
        at_work = min(n_signals, SCHEDULERS * self.n_resident) * written * (SEGMENT + 1)
        cached = min(1.0, CACHE_BYTES / max(at_work, 1))
        moved = n_signals * n_samples * self.tape_bytes
        return max(total, moved * (cached / CACHE_RATE + (1 - cached) / MEMORY_RATE))


def row_of(case: Case, assembler: str, disassembler: str) -> Row:
    """Compile and count."""
    launch: Launch = launch_of(case)
    with TemporaryDirectory() as folder:
        codes = assemble(ptx_of(launch), Path(folder), assembler)
        loops, n_around = sass.Program(codes[-1].cubin, disassembler).loops() if case.is_model else ([], 0)
    registers = {own.target: own.registers for own in codes}
    return Row(case, registers, {own.target: own.spilled for own in codes}, loops, n_around)


def lines_of(head: str, rows: list[str]) -> str:
    return "\n".join([f"| {head} |", "|" + " --- |" * (head.count("|") + 1), *(f"| {own} |" for own in rows)])


def registers_table(rows: list[Row]) -> str:
    """Registers of a thread, and spilled bytes, for both targets."""
    found = []
    for own in rows:
        numbers = [str(own.registers[target]) for target in TARGETS]
        spilled = " / ".join(str(own.spilled[target][1]) for target in TARGETS)
        found.append(" | ".join([own.case.name, *numbers, spilled if any(map(any, own.spilled.values())) else "0"]))
    return lines_of("kernel | sm_80 | sm_90 | spilled bytes", found)


def samples_table(rows: list[Row]) -> str:
    """What a sample takes."""
    found = []
    for own in rows:
        counts = [f"{own.instructions:.0f}", " + ".join(str(loop.count) for loop in own.loops)]
        found.append(
            " | ".join([own.case.name, *counts, str(own.tape_bytes), f"{own.cycles:.0f}", str(own.n_resident)])
        )
    return lines_of("kernel, sm_90 | instructions | of its loops | bytes of the tape | cycles, alone | warps", found)


def times_table(rows: list[Row]) -> str:
    """Milliseconds of batches of a second, forwards, and of gradients, which run forwards first."""
    found = []
    for forward in (own for own in rows if not own.is_reverse):
        backwards = [own for own in rows if own.case.name.startswith(forward.case.name + ", backwards")]
        cells = [f"{1e3 * forward.seconds(n):.0f}" for n in BATCHES]
        for own in backwards:
            ratio = 1 + own.seconds(1024) / forward.seconds(1024)
            counted = 1 + own.instructions / forward.instructions
            cells.append(f"{1e3 * (forward.seconds(1024) + own.seconds(1024)):.0f}, {ratio:.1f} times ({counted:.1f})")
        found.append(" | ".join([forward.case.name, *cells]))
    heads = ["signals of 1 s, ms", *(str(n) for n in BATCHES), "1024, gradients by X", "by all"]
    return lines_of(" | ".join(heads), found)


def main() -> None:
    """Write the page."""
    assembler, disassembler = tool("ptxas"), tool("nvdisasm")
    if assembler is None or disassembler is None:
        sys.exit("ptxas and nvdisasm are missing; pip install 'numba-cuda[cu12]' nvidia-cuda-nvdisasm")
    rows = []
    for case in cases():
        rows.append(row_of(case, assembler, disassembler))
        print(case.name, rows[-1].registers, rows[-1].spilled, flush=True)
    models = [own for own in rows if own.case.is_model]
    text = WORDS.read_text()
    for name, table in (
        ("REGISTERS", registers_table(rows)),
        ("SAMPLES", samples_table(models)),
        ("TIMES", times_table(models)),
    ):
        text = text.replace(f"[{name}]", table)
    PAGE.write_text(text)


if __name__ == "__main__":
    sys.setrecursionlimit(20_000)
    main()
