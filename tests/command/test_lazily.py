import gc
import subprocess
import sys
import threading
from importlib.metadata import version

import numpy as np
import pytest
import soundfile

from skaud.command.lazily import imported_lazily, uncollected


def printed_by(code, **options):
    """What a process of its own prints."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **options)
    return run.stdout


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that says when it is loaded, with a module below it."""
    folder = tmp_path / "slow_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import sys, time\nsys.loaded_slow_package = getattr(sys, 'loaded_slow_package', 0) + 1\ntime.sleep(0.1)\n"
        "from slow_package import below\nvalue = 7\n"
    )
    (folder / "below.py").write_text("import slow_package\nother = 8\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "loaded_slow_package", 0, raising=False)
    yield
    for name in [name for name in sys.modules if name.startswith("slow_package")]:
        del sys.modules[name]


def test_a_module_is_loaded_when_something_of_it_is_asked_for(package):
    with imported_lazily(["slow_package"]):
        import slow_package
    assert sys.loaded_slow_package == 0
    assert slow_package.value == 7
    assert slow_package.below.other == 8
    with pytest.raises(AttributeError, match="nothing"):
        slow_package.nothing  # noqa: B018
    assert sys.loaded_slow_package == 1
    assert not hasattr(slow_package, "__getattr__")


def test_the_version_of_a_package_is_told_without_it():
    code = (
        "import sys; from skaud.command.lazily import imported_lazily\n"
        "with imported_lazily():\n    import pandas\n"
        "print(pandas.__version__, 'pandas.core' in sys.modules, pandas.DataFrame.__name__, pandas.__version__)"
    )
    assert printed_by(code) == f"{version('pandas')} False DataFrame {version('pandas')}\n"


@pytest.mark.parametrize("statement", ["from slow_package import value", "from slow_package.below import other"])
def test_a_name_of_it_or_a_module_below_it_loads_it(package, statement):
    with imported_lazily(["slow_package"]):
        import slow_package

        exec(statement)
    assert sys.loaded_slow_package == 1
    assert slow_package.__path__


def test_threads_that_ask_at_once_find_it_whole(package):
    with imported_lazily(["slow_package"]):
        import slow_package
    found = []
    threads = [threading.Thread(target=lambda: found.append(slow_package.value)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 8
    assert sys.loaded_slow_package == 1


def test_what_was_not_loaded_works_when_it_is_used_later():
    code = (
        "import sys; from skaud.command.lazily import imported_lazily\n"
        "with imported_lazily():\n    import sklearn.base\n"
        "assert 'pandas.core' not in sys.modules\n"
        "import pandas as pd, numpy as np\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "from scipy import optimize, stats\n"
        "frame = pd.DataFrame({'a': [0.0, 2.0]})\n"
        "print(StandardScaler().set_output(transform='pandas').fit_transform(frame)['a'].tolist(),"
        " round(stats.norm.cdf(0.0), 3), round(optimize.brentq(lambda x: x - 1, 0, 3), 3))"
    )
    assert printed_by(code) == "[-1.0, 1.0] 0.5 1.0\n"


def test_features_of_a_recipe_come_without_pandas(tmp_path):
    soundfile.write(tmp_path / "x.wav", 0.1 * np.random.default_rng(0).standard_normal(4000), 16000)
    words = ["features", "x.wav", "--recipe", "carfac_cepstra", "-o", "x.csv", "--quiet"]
    code = f"import sys; from skaud.command import main; print(main({words}), 'pandas.core' in sys.modules)"
    assert printed_by(code, cwd=tmp_path) == "0 False\n"


def test_a_class_is_stood_in_for_until_it_is_used(package):
    with imported_lazily(["slow_package"], ["slow_package.value"]):
        from slow_package import value
    assert sys.loaded_slow_package == 0
    assert value.real == 7
    assert sys.loaded_slow_package == 1
    from slow_package import value as own

    assert own == 7


def test_splines_that_were_stood_in_for_are_fitted():
    code = (
        "import sys; from skaud.command.lazily import imported_lazily\n"
        "with imported_lazily():\n    from sklearn.preprocessing import SplineTransformer\n"
        "assert 'scipy.interpolate._bsplines' not in sys.modules\n"
        "import numpy as np\n"
        "rows = SplineTransformer(n_knots=3).fit_transform(np.arange(5.0)[:, None])\n"
        "import scipy.interpolate\n"
        "print(rows.shape, scipy.interpolate.BSpline.__module__)"
    )
    assert printed_by(code) == "(5, 5) scipy.interpolate._bsplines\n"


def test_what_was_stood_in_for_can_be_derived_from_and_asked_about(package, tmp_path):
    (tmp_path / "slow_package" / "__init__.py").write_text("class Thing:\n    size = 3\n")
    with imported_lazily(["slow_package"], ["slow_package.Thing"]):
        from slow_package import Thing

    class Own(Thing):
        pass

    assert Own().size == 3
    assert isinstance(Own(), Thing)
    assert issubclass(Own, Thing)
    assert not isinstance(3, Thing)


def test_linear_algebra_that_was_not_loaded_works_when_it_is_used_later():
    code = (
        "import sys; from skaud.command.lazily import imported_lazily\n"
        "with imported_lazily():\n"
        "    from sklearn.preprocessing import PowerTransformer\n"
        "    import scipy.fft\n"
        "import numpy as np\n"
        "from sklearn.decomposition import PCA\n"
        "from sklearn.linear_model import Ridge\n"
        "from sklearn.utils.extmath import randomized_svd\n"
        "x = np.random.default_rng(0).random((20, 4)) + 1\n"
        "PowerTransformer('box-cox').fit_transform(x); PCA(2).fit(x); randomized_svd(x, 2, random_state=0)\n"
        "Ridge(solver='sparse_cg').fit(x, x[:, 0])\n"
        "import scipy.linalg, scipy.special, scipy.sparse.linalg, scipy.sparse.csgraph\n"
        "print(len(scipy.linalg.svdvals(x)), scipy.special.poch(2, 2), scipy.sparse.linalg.LinearOperator.__module__,\n"
        "      len(scipy.fft.fht(x[0], 0.1, 0)))"
    )
    assert printed_by(code) == "4 6.0 scipy.sparse.linalg._interface 4\n"


def test_nothing_is_collected_within():
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_module_and_one_below_it_are_both_left_unloaded_and_loaded_in_order(package):
    with imported_lazily(["slow_package", "slow_package.below"], []):
        import slow_package.below as below
    assert sys.loaded_slow_package == 0
    assert below.other == 8
    assert sys.loaded_slow_package == 1
    assert sys.modules["slow_package"].value == 7


def test_masked_arrays_are_known_for_what_they_are():
    code = (
        "import sys; from skaud.command.lazily import imported_lazily\n"
        "with imported_lazily():\n    import numpy as np\n    from numpy import ma\n"
        "kind = np.ma.MaskedArray\n"
        "print(isinstance(np.zeros(2), kind), 'numpy.ma.core' in sys.modules)\n"
        "import numpy.ma.core\n"
        "x = numpy.ma.core.array([1.0, 2.0], mask=[True, False])\n"
        "print(isinstance(x, kind), isinstance(x, np.ma.MaskedArray), isinstance(np.zeros(2), kind))"
    )
    assert printed_by(code) == "False False\nTrue True False\n"
