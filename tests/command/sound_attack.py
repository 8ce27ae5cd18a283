"""Damaged sound files, and what reading them comes to."""

import sys
import tempfile
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

from skaud.sound.files import read_frames

FORMATS = (
    ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"),
    ("W64", "PCM_16"), ("RF64", "PCM_16"), ("NIST", "PCM_16"), ("VOC", "PCM_16"),
)  # fmt: skip
OUTCOMES = ("whole", "clear error", "wrong kind", "crash", "hang", "silently wrong")
DURATION_S, RATE, LONGEST_S, PATIENCE_S = 1.0, 8000, 3600.0, 30.0


def originals():
    """Content of a whole file of every format, and its samples as they are read."""
    sound = 0.1 * np.random.default_rng(0).standard_normal((round(DURATION_S * RATE), 2))
    with tempfile.TemporaryDirectory() as folder:
        for container, subtype in FORMATS:
            path = Path(folder) / "whole"
            soundfile.write(path, sound, RATE, format=container, subtype=subtype)
            yield container, path.read_bytes(), soundfile.read(path, dtype="float32", always_2d=True)[0]


def damaged(content, random):
    """A damaged copy, and how it was damaged."""
    kind = ("header", "body", "cut")[random.integers(3)]
    if kind == "cut":
        return content[: random.integers(len(content))], kind
    end = min(120, len(content)) if kind == "header" else len(content)
    copy = bytearray(content)
    for place in random.integers(end, size=random.integers(1, 9)):
        copy[place] = random.integers(256)
    return bytes(copy), kind


def outcome(path, container, kind, original):
    """What reading a file comes to, in words of OUTCOMES, and what was said."""
    try:
        samples, _, missing = read_frames(path, "float32", LONGEST_S)
    except (ValueError, OSError) as error:
        return ("clear error" if str(path) in str(error) else "wrong kind"), repr(error)
    except BaseException as error:
        return "wrong kind", repr(error)
    if missing:
        return "clear error", missing
    if not np.isfinite(samples).all():
        return "silently wrong", "samples that are not finite"
    # A checksum, a size or a number of samples in the file tells; of what it tells nothing nobody can know.
    if kind == "cut" and len(samples) < len(original):
        return "silently wrong", f"{len(samples)} of {len(original)} samples without a word"
    if kind == "body" and container == "FLAC" and not np.array_equal(samples, original):
        return "silently wrong", "other samples than were written"
    return "whole", ""


def attack(folder, n, seed):
    """Read n damaged files, in a process that may crash or hang; count the outcomes."""
    random = np.random.default_rng(seed)
    whole = list(originals())
    counts, told = Counter(), []
    pool = None
    for i in range(n):
        container, content, original = whole[random.integers(len(whole))]
        copy, kind = damaged(content, random)
        path = folder / f"{i:04}_{kind}.{container.lower().removesuffix('ex')}"
        path.write_bytes(copy)
        pool = pool or ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        try:
            result, said = pool.submit(outcome, path, container, kind, original).result(PATIENCE_S)
        except TimeoutError:
            result, said = "hang", ""
            for process in list(pool._processes.values()):
                process.kill()
            pool = None
        except BrokenProcessPool:
            result, said, pool = "crash", "", None
        counts[kind, result] += 1
        if result not in ("whole", "clear error"):
            told.append((path.name, result, said))
    if pool:
        pool.shutdown()
    return counts, told


if __name__ == "__main__":  # the counts of docs/robustness.md
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        counts, told = attack(Path(folder), int(sys.argv[1]), 0)
        for kind in ("header", "body", "cut"):
            print(kind, {result: counts[kind, result] for result in OUTCOMES})
        print(*told, sep="\n")
