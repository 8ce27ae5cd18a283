"""The README's Python runs as it stands."""

import re
from pathlib import Path

import soundfile

from skaud import datasets

README = Path(__file__).parents[1] / "README.md"


def test_the_snippets_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    vowels = datasets.make_vowels(n_speakers=6, n_takes=1, duration_s=(0.15, 0.2), random_state=0)
    few = [i for i, label in enumerate(vowels.target) if label in sorted(set(vowels.target))[:2]]
    for i in few:
        folder = tmp_path / "recordings" / str(vowels.target[i])
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{i}.wav", vowels.clips[i].samples, 22050)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) >= 2
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), names)
    assert names["search"].best_score_ > 0.5
    assert names["features"].shape[0] == len(few)
    assert (names["impaired"].ohc_health_ < 1).any()
    assert "[" in capsys.readouterr().out
