"""What every kernel takes as machine code, and how long by that an H100 does. It writes docs/development/kernels.md.

Run it as ``python tests/kernels_table.py``, with numba-cuda[cu12] and nvidia-cuda-nvdisasm installed; it takes minutes.
"""

import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import sass
from machine_code import TARGETS, Case, Launch, assemble, cases, launch_of, ptx_of, tool

from skaud.kernels.chain.cuda_adjoint import Tape
from skaud.kernels.device import WARP

PAGE = Path(__file__).parent.parent / "docs" / "development" / "kernels.md"
WORDS = Path(__file__).with_suffix(".md")  # what the page says around its tables
# An H100: schedulers, Hz, registers of a scheduler, bytes of shared memory of a multiprocessor, and of those what each
# block of threads is charged.
SCHEDULERS, CLOCK_HZ, REGISTERS = 132 * 4, 1.7e9, 16384
SHARED_BYTES, CHARGED_BYTES = 228 * 2**10, 2**10
# Bytes a second of device memory and the caches before it, as tapes that lay there were measured: in 25 MB, where what
# CARFAC's kernels keep there fits, and in more.
MEMORY_RATES = {"CARFAC": 2.6e12, "chain": 2.0e12}
SEGMENT = 32  # samples between checkpoints of a chain
RATES_HZ = {"CARFAC": 22050, "chain": 44100}
LANES = {"CARFAC": 24, "chain": 31}  # threads of a warp that have channels
UPDATE = {
    "CARFAC": 2 * 8,
    "chain": 441,
}  # samples for each time that all that is rare happens: half of an update's stages
BATCHES = (1, 1024, 4096)
GRADIENTS_OF = (256, 1024)
TAPE_BYTES = 80e9 / 4  # that a chain's tape may take of the memory; else its segments are run once more


class Row(NamedTuple):
    """What is known of a kernel; of one that is no model nothing of loops over samples and what is around them."""

    case: Case
    registers: dict[str, int]
    spilled: dict[str, tuple[int, int, int]]
    shared_bytes: int
    block: int  # samples that go back together
    loops: list[sass.Loop]
    of_block: list[sass.Instruction]
    of_segment: list[sass.Instruction]
    tape_bytes: float  # of a chain's warp and sample, where its run leaves all that the adjoint must know

    @property
    def is_reverse(self) -> bool:
        return "backwards" in self.case.name

    def average(self, count: Callable[[list[sass.Instruction]], float]) -> float:
        """A sample's part of what is counted of rare instructions, and of those around blocks and segments."""
        rare = sum(count(own.rare) for own in self.loops) / UPDATE[self.case.group]
        return rare + count(self.of_block) / self.block + count(self.of_segment) / SEGMENT

    @property
    def instructions(self) -> float:
        """Of a warp, a sample, with what is rare on average."""
        return sum(own.count for own in self.loops) + self.average(len)

    @property
    def cycles(self) -> float:
        """Of a sample, where a warp has its scheduler to itself; a tape in device memory comes from a cache."""
        memories = [sass.FROM_L1, *[sass.FROM_L2] * (len(self.loops) - 1)]
        around = len(self.of_block) / self.block + len(self.of_segment) / SEGMENT
        waits = sass.FROM_L2 * (len(self.loops) // 2 / self.block + len(self.loops) // 2 / SEGMENT)
        return sum(own.cycles(memory) for own, memory in zip(self.loops, memories)) + around + waits

    @property
    def issue(self) -> float:
        """Cycles of a sample, for which a warp keeps its scheduler."""
        return self.instructions + sum(own.issue() - own.count for own in self.loops)

    @property
    def n_resident(self) -> int:
        """Warps that a scheduler has registers and shared memory for."""
        by_registers = REGISTERS // (32 * 8 * ceil(self.registers["sm_90"] / 8))
        return min(by_registers, SHARED_BYTES // (self.shared_bytes + CHARGED_BYTES) // 4)

    @property
    def memory_bytes(self) -> float:
        """Of a warp and sample, that a run writes and reads of device memory, with what is rare on average."""
        of_loops = sum(own.bytes for own in self.loops) - 8  # a sound and its bar, which a warp's threads share
        return (of_loops + self.average(lambda code: sum(own.bytes for own in code))) * LANES[self.case.group] + 8

    def for_batch(self, n_signals: int) -> "Row":
        """Without the loop that runs a chain's segments once more, where there is room for all that it would leave."""
        n_bytes = n_signals * RATES_HZ[self.case.group] * self.tape_bytes
        return self._replace(loops=self.loops[1:]) if 0 < n_bytes <= TAPE_BYTES else self

    def seconds(self, n_signals: int) -> float:
        """Of signals of a second, a warp each, by what binds: latency, schedulers or device memory."""
        left, total, n_samples = ceil(n_signals / SCHEDULERS), 0.0, RATES_HZ[self.case.group]
        while left > 0:
            now = min(left, self.n_resident)
            total, left = total + n_samples * max(self.cycles, now * self.issue) / CLOCK_HZ, left - now
        return max(total, n_signals * n_samples * self.memory_bytes / MEMORY_RATES[self.case.group] * self.is_reverse)


def row_of(case: Case, assembler: str, disassembler: str) -> Row:
    """Compile and count."""
    launch: Launch = launch_of(case)
    with TemporaryDirectory() as folder:
        codes = assemble(ptx_of(launch), Path(folder), assembler)
        program = sass.Program(codes[-1].cubin, disassembler) if case.is_model else None
        loops, of_block, of_segment = program.loops() if program else ([], [], [])
    registers, shared = {own.target: own.registers for own in codes}, codes[-1].shared
    spilled = {own.target: own.spilled for own in codes}
    block, tape_bytes = next((own for own in launch.own.switches if type(own) is int), 1), 0.0
    for own in launch.arguments:
        if isinstance(own, Tape):
            tape_bytes = (own.samples.shape[-2] + own.states.shape[-2] / block) * own.states.itemsize * WARP
    return Row(case, registers, spilled, shared, block, loops, of_block, of_segment, tape_bytes)


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
        counts = [f"{own.instructions:.0f}", " + ".join(f"{loop.count:.0f}" for loop in own.loops)]
        memory = [f"{own.memory_bytes:.0f}" if own.is_reverse else "", f"{own.shared_bytes / 1024:.1f}"]
        found.append(" | ".join([own.case.name, *counts, *memory, f"{own.cycles:.0f}", str(own.n_resident)]))
    heads = ["kernel, sm_90", "instructions", "of its loops", "bytes of memory", "KB shared", "cycles, alone", "warps"]
    return lines_of(" | ".join(heads), found)


def times_table(rows: list[Row]) -> str:
    """Milliseconds of batches of a second, forwards, and of gradients, which run forwards first."""
    found = []
    for forward in (own for own in rows if not own.is_reverse):
        backwards = [own for own in rows if own.case.name.startswith(forward.case.name + ", backwards")]
        cells = [f"{1e3 * forward.seconds(n):.0f}" for n in BATCHES]
        for n, own in ((n, own.for_batch(n)) for n in GRADIENTS_OF for own in backwards):
            there, back = forward.seconds(n), own.seconds(n)
            counted = 1 + own.instructions / forward.instructions
            cells.append(f"{1e3 * (there + back):.0f}, {1 + back / there:.1f} times ({counted:.1f})")
        found.append(" | ".join([forward.case.name, *cells]))
    gradients = [head for n in GRADIENTS_OF for head in (f"{n}, gradients by X", "by all")]
    heads = ["signals of 1 s, ms", *(str(n) for n in BATCHES), *gradients]
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
