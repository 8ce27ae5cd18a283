import shutil
import subprocess

import pytest

from skaud.command import main
from skaud.command.models import MODELS


def script(shell, capsys):
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["fe"], {"features"}),
        (["features", "--res"], {"--resume"}),
        (["features", "--model", ""], set(MODELS)),
        (["demo", "--model", "o"], {"osses2021"}),
        (["warm-up", "--models", ""], set(MODELS)),
        (["warm-up", "--dtypes", ""], {"float32", "float64"}),
        (["demo", "--res"], set()),
        (["completion", ""], {"bash", "zsh", "fish"}),
        (["features", "x"], set()),  # files, by the shell itself
    ],
)
def test_bash_completes_subcommands_options_and_their_values(words, wanted, capsys):
    line = " ".join(f"'{word}'" for word in ["skaud", *words])
    code = f'{script("bash", capsys)}\nCOMP_WORDS=({line})\nCOMP_CWORD={len(words)}\n_skaud\necho "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == wanted
    assert done.stderr == ""


def test_zsh_takes_the_script_of_bash_and_fish_has_its_own(capsys):
    bash, zsh, fish = (script(shell, capsys) for shell in ("bash", "zsh", "fish"))
    assert zsh.endswith(bash)
    assert "bashcompinit" in zsh
    assert "complete -c skaud -n '__fish_seen_subcommand_from features' -l resume -d " in fish
    assert f"-l model -r -f -a '{' '.join(MODELS)}'" in fish
