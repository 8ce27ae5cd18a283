"""Every kernel that a GPU may be asked for, as machine code: registers, memory, instructions a sample; no GPU needed.

Run it as ``python tests/machine_code.py`` to write docs/development/kernels.md anew. It needs `ptxas`, which
numba-cuda[cu12] brings, and `nvdisasm`, pip install nvidia-cuda-nvdisasm.
"""

import inspect
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np

import skaud
from skaud.engines import chain_cuda
from skaud.engines.carfac import Cascade
from skaud.engines.carfac_cuda import CascadeOnDevice
from skaud.engines.chain import Chain
from skaud.engines.chain_cuda import ChainOnDevice
from skaud.engines.fir import Fir
from skaud.engines.fir_cuda import FirOnDevice
from skaud.estimator.base import AudioTransformer
from skaud.kernels import device

ON_DEVICE = {Cascade: CascadeOnDevice, Chain: ChainOnDevice, Fir: FirOnDevice}
TARGETS = ("sm_80", "sm_90")
STYLES = ("just_hwr", "one_cap", "two_cap", "two_cap_with_syn")
FRAME = 100
N_CHANNELS = 31
# Classes that are made of others here, and what settings bring kinds of parts that none has by itself.
VARIANTS = {
    "Osses2021": {"": {}},
    "Dau1997": {"": {}},
    "King2019": {"": {}, ", signed": {"phase": "signed"}},
    "HairCellEnvelope": {"": {}, ", one pass": {"hair_cell": "dau1996"}},
    "AdaptationLoops": {"": {}, ", no limit": {"adaptation_limit": None}},
    "ModulationBandpass": {"": {}, ", signed": {"phase": "signed"}},
}
MODELS = ("Osses2021", "Dau1997", "King2019")


class Launch(NamedTuple):
    """A kernel as it is launched."""

    own: device.Kernel
    block: tuple[int, int]
    arguments: tuple


class Case(NamedTuple):
    """A row: what launches the kernel, last of all.

    group : "CARFAC", "chain" or "FIR", is_model : whether the page tells how long it takes, n_lanes : threads in use
    """

    name: str
    group: str
    launch: Callable[[], None]
    by_all: bool = False
    is_model: bool = False


def tool(name: str) -> str | None:
    """Path of one of NVIDIA's programs: of the packages that numba-cuda brings, else of a toolkit."""
    folders = getattr(find_spec("nvidia"), "submodule_search_locations", None) or []
    found = (str(path) for folder in folders for path in Path(folder).rglob(name) if path.is_file())
    return next(found, None) or shutil.which(name)


# --- every kernel there is ---


def run(engine, n_ears=1, outputs=None, frame_samples=FRAME):
    """Launch a run; a chain of channels is given channels."""
    engine.run(sound(engine, n_ears), engine.start(1, n_ears), outputs or (last_of(engine),), frame_samples)


def reverse(engine, n_ears=1, *, by_all=True):
    """Launch a run and its adjoint."""
    output = last_of(engine)
    response, tape = engine.record(sound(engine, n_ears), output, FRAME)
    engine.pull_back(tape, np.zeros_like(response), engine.parts if by_all else ())


def with_tape(engine):
    """Launch a run that leaves all that its adjoint must know."""
    with mock.patch.object(chain_cuda, "room_of_tape", return_value=2**40):
        engine.record(sound(engine, 1), last_of(engine), FRAME)


def sound(engine, n_ears):
    channels = (engine.n_channels,) if engine.takes_channels else ()
    return np.zeros((1, n_ears, *channels, 200), engine.dtype)


def last_of(engine):
    return "nap" if "nap" in engine.outputs else engine.outputs[-1]


def of_carfac(**settings):
    return CascadeOnDevice(skaud.CARFAC(22050, **settings).fit().engine_)


def carfac_cases() -> Iterator[Case]:
    """Every hair cell; then, of one, what else kernels are made for."""
    for style in STYLES:
        for dtype in ("float32", "float64") if style in STYLES[2:] else ("float32",):
            name, made = f"CARFAC {style}{of(dtype)}", lambda s=style, d=dtype: of_carfac(ihc_style=s, dtype=d)
            yield Case(name, "CARFAC", lambda m=made: run(m()), is_model=dtype == "float32")
            for by_all in (False, True) if dtype == "float32" else (True,):
                launch = lambda m=made, b=by_all: reverse(m(), by_all=b)  # noqa: E731
                yield Case(name + back(by_all), "CARFAC", launch, by_all, dtype == "float32")
    every = lambda: run(own := of_carfac(ihc_style="two_cap_with_syn"), 1, own.outputs, None)  # noqa: E731
    yield Case("CARFAC two_cap_with_syn, every output", "CARFAC", every)
    yield Case(
        "CARFAC two_cap, with checkpoints", "CARFAC", lambda: of_carfac().record(np.zeros((1, 1, 200), "f4"), "nap", 1)
    )
    for what, n_ears, settings in (
        ("2 ears", 2, {}),
        ("16 ears", 16, {}),
        ("delay", 1, {"use_delay_buffer": True}),
        ("open loop", 1, {"open_loop": True}),
    ):
        yield Case(f"CARFAC two_cap, {what}", "CARFAC", lambda n=n_ears, s=settings: run(of_carfac(**s), n))
        launch = lambda n=n_ears, s=settings: reverse(of_carfac(**s), n)  # noqa: E731
        yield Case(f"CARFAC two_cap, {what}{back(True)}", "CARFAC", launch, True)


def back(by_all: bool) -> str:
    return ", backwards by all" if by_all else ", backwards by X"


def of(dtype: str) -> str:
    return "" if dtype == "float32" else f", {dtype}"


def classes() -> list[type[AudioTransformer]]:
    """Models and stages of this package."""
    public = (getattr(skaud, name) for name in sorted(skaud.__all__) if not name.startswith("_"))
    return [own for own in public if inspect.isclass(own) and issubclass(own, AudioTransformer)]


def engines_of(kind: type[AudioTransformer], settings: dict) -> list:
    """Engines that a model or a stage runs on a device by kernels; [] where array-API code or nothing does."""
    model = kind(**settings)
    takes_channels = getattr(model, "takes_channels", False)
    engines = model.fit(np.zeros((1, N_CHANNELS, 400), np.float32) if takes_channels else None).engine_.engines
    return [ON_DEVICE[type(own)](own) for own in engines if type(own) in ON_DEVICE]


def other_cases() -> Iterator[Case]:
    """Models and stages of chains, and one of FIR filters, which all share their kernels."""
    for kind in classes():
        for what, settings in VARIANTS.get(kind.__name__, {"": {}}).items():
            for own in engines_of(kind, settings):
                if isinstance(own, ChainOnDevice):
                    yield from chain_cases(kind, what, settings)
    for dtype in ("float32", "float64"):
        made = lambda d=dtype: engine_in(FirOnDevice, skaud.HeadphoneFilter, {"dtype": d})  # noqa: E731
        yield Case(f"FIR filter{of(dtype)}", "FIR", lambda m=made: run(m()))
        yield Case(f"FIR filter{of(dtype)}{back(True)}", "FIR", lambda m=made: reverse(m()), True)


def engine_in(of_device, kind, settings):
    return next(own for own in engines_of(kind, settings) if isinstance(own, of_device))


def chain_cases(kind, what: str, settings: dict) -> Iterator[Case]:
    is_model = kind.__name__ in MODELS and not what
    for dtype in ("float32", "float64") if is_model else ("float32",):
        made = lambda d=dtype: engine_in(ChainOnDevice, kind, settings | {"dtype": d})  # noqa: E731
        name = f"{kind.__name__}{what}{of(dtype)}"
        yield Case(name, "chain", lambda m=made: run(m()), is_model=is_model and dtype == "float32")
        for by_all in (False, True) if is_model and dtype == "float32" else (True,):
            launch = lambda m=made, b=by_all: reverse(m(), by_all=b)  # noqa: E731
            yield Case(name + back(by_all), "chain", launch, by_all, is_model and dtype == "float32")
    if is_model:
        made = lambda: engine_in(ChainOnDevice, kind, settings)  # noqa: E731
        yield Case(f"{kind.__name__}, every stage", "chain", lambda: run(own := made(), 1, own.outputs, None))
        yield Case(f"{kind.__name__}, with a tape", "chain", lambda: with_tape(made()))


def cases() -> list[Case]:
    """Every row."""
    return [*carfac_cases(), *other_cases()]


def launch_of(case: Case) -> Launch:
    """What a case launches last, on no device."""
    found: list[Launch] = []
    with mock.patch.object(
        device, "launch", lambda own, _grid, block, arguments: found.append(Launch(own, block, arguments))
    ):
        case.launch()
    return found[-1]


# --- from a kernel to instructions ---


class Code(NamedTuple):
    """Machine code for a target."""

    target: str
    registers: int
    spilled: tuple[int, int, int]  # bytes: stack frame, stores, loads
    shared: int  # bytes
    cubin: Path


def ptx_of(launch: Launch) -> str:
    return device.ptx(launch.own, device.types_of(launch.arguments), (8, 0))


def assemble(text: str, folder: Path, assembler: str) -> list[Code]:
    """Machine code of a kernel for every target."""
    (folder / "kernel.ptx").write_text(text)
    found = []
    for target in TARGETS:
        cubin = folder / f"kernel.{target}.cubin"
        command = [assembler, "-v", f"-arch={target}", str(folder / "kernel.ptx"), "-o", str(cubin)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        spilled = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", told)
        (registers,), shared = re.findall(r"Used (\d+) registers", told), re.findall(r"(\d+) bytes smem", told)
        found.append(Code(target, int(registers), tuple(map(int, spilled.groups())), sum(map(int, shared)), cubin))
    return found
