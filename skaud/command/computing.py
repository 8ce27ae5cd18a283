"""The rows of `skaud features`: what a worker, a thread here or a process anywhere, does with a batch of files."""

import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from skaud.command.files import File
from skaud.command.fingerprint import fingerprint
from skaud.command.journal import Row
from skaud.command.names import path_text
from skaud.command.noticing import warnings_noticed
from skaud.command.recording import CHANGED, LongClip, Take, content_hash, read_clip, stamp
from skaud.sound import resampled_length
from skaud.sound.resampling import resample_array

HEARD_AT_ONCE = 1 << 20  # samples of a batch's clips, at the model's rate

Batch = Sequence[tuple[bytes, File]]  # identities of files, and the files


class Noticed(NamedTuple):
    """What is to be said of a file: of every kind the first, of kind "" every one."""

    kind: str
    name: str
    text: str


class Computed(NamedTuple):
    """What came of a batch: of every file its row, or in words why there is none; and what was noticed."""

    rows: list[Row | str]
    noticed: list[Noticed]


class OtherVersionError(Exception):
    """A worker has another version of the package, whose features would not be the same."""


@dataclass(frozen=True)
class Work:
    """What is done with a file: how it is taken, and the fitted model that hears it."""

    model: Any
    take: Take
    fingerprint: str

    def compute(self, batch: Batch) -> Computed:
        """Rows of a batch; whatever is wrong with one file, the others have theirs."""
        rows: list[Row | str] = [""] * len(batch)
        noticed: list[Noticed] = []
        heard: dict[int, np.ndarray] = {}
        for i, (identity, file) in enumerate(batch):
            try:
                rows[i], clip = self._read(identity, file, noticed)
            except Exception as error:
                rows[i] = _words(error, identity)
                continue
            if isinstance(clip, LongClip):
                self._hear(batch, {i: clip}, rows, noticed)
                continue
            if heard and sum(map(np.size, heard.values())) + clip.size > HEARD_AT_ONCE:
                self._hear(batch, heard, rows, noticed)
                heard = {}
            heard[i] = clip
        if heard:
            self._hear(batch, heard, rows, noticed)
        return Computed(rows, noticed)

    def _read(self, identity: bytes, file: File, noticed: list[Noticed]) -> tuple[Row, np.ndarray | LongClip]:
        """Row of a file without features, and its clip, at the model's rate if it is held."""

        def note(kind: str, text: str) -> None:
            noticed.append(Noticed(kind, path_text(file.name), text))

        before = stamp(identity)
        content = content_hash(identity, before.size)
        clip, rate = read_clip(identity, self.take, note)
        after = stamp(identity)
        if after[:2] != before[:2]:
            raise ValueError(CHANGED)
        if not isinstance(clip, LongClip):
            # As transform would do, without threads for many clips and without checking once more what has been read.
            clip = resample_array(clip, rate, self.model.sample_rate, "it")
        return Row(os.fsencode(file.name), min(before, after), content, file.columns), clip

    def _hear(self, batch: Batch, clips: dict[int, Any], rows: list[Row | str], noticed: list[Noticed]) -> None:
        """Give features to the rows of some files; together, or where something is to be said of one, each alone."""
        try:
            with warnings_noticed() as warned:
                found = self._features(list(clips.values()))
            if warned and len(clips) > 1:
                raise ValueError("which of them?")
        except Exception as error:
            if len(clips) > 1:
                for i, clip in clips.items():
                    self._hear(batch, {i: clip}, rows, noticed)
                return
            (i,) = clips
            rows[i] = _words(error, batch[i][0])
            return
        for i, features in zip(clips, found):
            row = rows[i]
            assert isinstance(row, Row)
            rows[i] = row.with_features(features)
        if warned:
            name = path_text(batch[next(iter(clips))][1].name)
            noticed += [Noticed(kind, name, text) for kind, text in warned]

    def _features(self, clips: list[Any]) -> np.ndarray:
        if isinstance(clips[0], LongClip):
            from skaud.recipes.blocks import row_of_blocks

            (clip,) = clips
            rate = self.model.sample_rate
            n_samples = resampled_length(clip.n_samples, clip.sample_rate, rate)
            found = row_of_blocks(self.model, clip.blocks(rate), clip.n_ears, n_samples)[np.newaxis]
        else:
            found = self.model.transform(clips)
        return np.asarray(found, np.dtype(self.take.dtype).newbyteorder("<"))


def compute_packed(packed: bytes, batch: Batch) -> Computed:
    """Rows of a batch, by a worker in a process of its own, from a `Work` that was pickled once for many batches."""
    return _unpacked(packed).compute(batch)


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> Work:
    work = pickle.loads(packed)
    if fingerprint(work.model) != work.fingerprint:
        raise OtherVersionError
    return work


def _words(error: Exception, identity: bytes) -> str:
    return str(error).replace("X[0]", "its sound").replace(f"path={os.fsdecode(identity)!r}", "it")
