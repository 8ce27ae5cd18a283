"""Look at sdist and wheel, and at what was installed of one: data, types, the command, and no tests."""

import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import skaud

for file in map(Path, sys.argv[1:]):
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    else:
        with tarfile.open(file) as archive:
            names = [name.partition("/")[2] for name in archive.getnames()]
    assert "skaud/py.typed" in names, file
    assert any(name.endswith("LICENSE") for name in names), file
    strangers = [name for name in names if name.split("/")[0] in ("tests", "docs", "examples", ".ci", "shared")]
    assert not strangers, strangers[:5]

installed = Path(skaud.__file__).parent
assert "site-packages" in installed.parts, installed
assert (installed / "py.typed").is_file()
assert metadata.version("skaud") == skaud.__version__
for name in skaud.__all__:
    assert getattr(skaud, name) is not None, name
said = subprocess.run([Path(sys.executable).with_name("skaud"), "--help"], capture_output=True, text=True, check=True)
assert "features" in said.stdout
model = skaud.CARFAC(8000)
assert model.fit_transform(skaud.datasets.make_tone([500], duration_s=0.1, sample_rate=8000)).shape[0] == 1
print(f"skaud {skaud.__version__}: {len(skaud.__all__)} public names, the command and a model run")
