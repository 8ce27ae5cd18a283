"""The file that `skaud features` writes: a row for every sound file, safe at any moment.

Finished rows go to a journal next to the output; when all is done, or interrupted, the output is replaced at once.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SUFFIXES = (".parquet", ".csv", ".npz")


def journal_path(path: Path) -> Path:
    """Where the finished rows of an output are while the run lasts."""
    return path.with_name(path.name + ".journal")


class FeatureFile:
    """Rows of features by path, to be written to `path` in the format of its suffix.

    about : dict of the model and its parameters, what rows of one file must have in common
    columns : list of str, names of the features
    """

    def __init__(self, path: Path, about: dict[str, Any], columns: list[str], dtype: str = "float32") -> None:
        self.path = path
        self.about = json.loads(json.dumps(about, default=repr))  # as it will be read back
        self.columns = columns
        self.dtype = np.dtype(dtype)
        self.rows: dict[str, np.ndarray] = {}
        self._journal_path = journal_path(path)
        self._journal: Any = None

    def resume(self) -> None:
        """Take over the rows of the output, and of the journal of a run that was killed.

        ValueError if they cannot be read, or are of another model or other parameters.
        """
        for path, read in ((self.path, _read), (self._journal_path, _read_journal)):
            if not path.exists():
                continue
            try:
                about, columns, rows = read(path)
            except Exception as error:  # whatever a damaged file makes its reader say
                raise ValueError(f"{path} cannot be read ({error}); remove it, or use --overwrite.") from error
            self._check(path, about, columns)
            self.rows.update({name: row.astype(self.dtype) for name, row in rows.items()})

    def open(self) -> None:
        """Begin a journal of the rows to come."""
        self._journal = self._journal_path.open("w", encoding="utf-8")
        self._write_line({"about": self.about, "columns": self.columns})
        for name, row in self.rows.items():
            self._write_row(name, row)

    def add(self, name: str, row: np.ndarray) -> None:
        """Keep a finished row."""
        self.rows[name] = np.asarray(row, self.dtype)
        self._write_row(name, row)

    def close(self, order: list[str]) -> None:
        """Write the output, rows in this order after those of files that are not in it, and drop the journal."""
        place = {name: i for i, name in enumerate(order)}
        if self.path.suffix.lower() == ".csv":  # a table of text has no room for it
            _beside_csv(self.path).write_text(json.dumps(self.about, indent=1) + "\n", encoding="utf-8")
        names = sorted(self.rows, key=lambda name: place.get(name, -1))
        features = np.array([self.rows[name] for name in names], dtype=self.dtype).reshape(-1, len(self.columns))
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            _WRITERS[self.path.suffix.lower()](fresh, self.about, self.columns, names, features)
            os.replace(fresh, self.path)
        finally:
            fresh.unlink(missing_ok=True)
        self._journal.close()
        self._journal_path.unlink()

    def _write_row(self, name: str, row: np.ndarray) -> None:
        self._write_line({"path": name, "features": base64.b64encode(np.asarray(row, "<f8").tobytes()).decode()})

    def _write_line(self, content: dict[str, Any]) -> None:
        self._journal.write(json.dumps(content) + "\n")
        self._journal.flush()

    def _check(self, path: Path, about: dict[str, Any] | None, columns: list[str]) -> None:
        about = self.about if about is None else about
        for name in (*self.about, *about):
            if about.get(name) != self.about.get(name):
                raise ValueError(
                    f"{path} was made with {name}={about.get(name)!r}, this run has {name}={self.about.get(name)!r}; "
                    "give the same, or write to another file."
                )
        if columns != self.columns:
            raise ValueError(
                f"{path} has {len(columns)} features, {', '.join(columns[:3])}, ..., this run has {len(self.columns)}, "
                f"{', '.join(self.columns[:3])}, ...; give the same model and parameters, or write to another file."
            )


# --- formats: about, columns, rows ---

Content = tuple[dict[str, Any] | None, list[str], dict[str, np.ndarray]]


def _write_parquet(path: Path, about: dict, columns: list[str], names: list[str], features: np.ndarray) -> None:
    frame = _frame(columns, names, features)
    frame.attrs["skaud"] = about  # pandas keeps it in the file's metadata
    frame.to_parquet(path, engine="pyarrow", index=False)


def _write_csv(path: Path, about: dict, columns: list[str], names: list[str], features: np.ndarray) -> None:
    _frame(columns, names, features).to_csv(path, index=False, lineterminator="\n")


def _write_npz(path: Path, about: dict, columns: list[str], names: list[str], features: np.ndarray) -> None:
    with path.open("wb") as file:  # a name without .npz stays what it is
        np.savez_compressed(
            file,
            features=features,
            paths=np.array(names, dtype=str),
            feature_names=np.array(columns, dtype=str),
            about=np.array(json.dumps(about)),
        )


_WRITERS = {".parquet": _write_parquet, ".csv": _write_csv, ".npz": _write_npz}


def _beside_csv(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _frame(columns: list[str], names: list[str], features: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(features, columns=columns)
    frame.insert(0, "path", np.array(names, dtype=object))
    return frame


def _read(path: Path) -> Content:
    if path.suffix.lower() == ".npz":
        with np.load(path) as file:
            rows = dict(zip(file["paths"].tolist(), file["features"]))
            return json.loads(str(file["about"])), file["feature_names"].tolist(), rows
    if path.suffix.lower() == ".parquet":
        frame = pd.read_parquet(path, engine="pyarrow")
        about = frame.attrs.get("skaud")
    else:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        beside = _beside_csv(path)
        about = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else None
    columns = [name for name in frame.columns if name != "path"]
    return about, columns, dict(zip(frame["path"], frame[columns].to_numpy(np.float64)))


def _read_journal(path: Path) -> Content:
    about, columns, rows = None, [], {}
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break  # cut off in the middle
        content = json.loads(line)
        if "about" in content:
            about, columns = content["about"], content["columns"]
        else:
            rows[content["path"]] = np.frombuffer(base64.b64decode(content["features"]), "<f8")
    return about, columns, rows
