"""Parameters beyond what can be computed are named, before they take memory or time."""

import numpy as np
import pytest
from fuzz import ALL, sound_for

import skaud


@pytest.mark.parametrize(
    ("name", "parameters", "named"),
    [
        ("CARFAC", {"erb_per_step": 1e-12}, "erb_per_step=1e-12 asks for 1e.04 channels or more"),
        ("CARFAC", {"erb_q": 1e12}, "erb_q=1"),
        ("CARFAC", {"agc_decimation": [1e9, 2, 2, 2]}, "agc_decimation=.* samples an update"),
        ("CARFAC", {"agc_decimation": [8, 2, 2, 2**62]}, "agc_decimation=.* samples an update"),
        ("CARFAC", {"tau2_out": 1e-30}, "tau2_out=1e-30"),
        ("CARFAC", {"zero_ratio": 1e300}, "zero_ratio=1e.300"),
        ("CARFAC", {"frame_length": 1e30}, "frame_length=1e.30"),
        ("CARFAC", {"rms_one_db_spl": 1e6}, "rms_one_db_spl"),
        ("CARFAC", {"v_width": 1e300, "ihc_style": "two_cap_with_syn"}, "v_width=1e.300"),
        ("CARFAC", {"pooling": skaud.TemporalPooling(segments=10**12)}, "segments"),
        ("BiomimeticFrontend", {"n_strfs": 1_000_000}, "n_strfs=1000000 asks for 1e.06 filters"),
        ("CorticalSTRF", {"n_strfs": 10**12}, "n_strfs"),
        ("AuditorySpectrogram", {"sample_rate": 1e12}, "sample_rate"),
        ("CochlearFilterbank", {"sample_rate": 1e9}, "sample_rate"),
        ("LeakyIntegrator", {"frame_rate_hz": 1e-30}, "frame_rate_hz=1e-30"),
        ("LeakyIntegrator", {"sample_rate": 10**30}, "sample_rate=1000000"),
        ("AuditorySpectrogram", {"frame_rate_hz": 1e-30}, "frame_rate_hz=1e-30"),
        ("PowerLawCompression", {"compression": 1e6}, "compression=1000000.0"),
        ("AdaptationLoops", {"minimum_level_db": 1e6}, "minimum_level_db"),
        ("CochlearFilterbank", {"sample_rate": 224863}, "sample_rate=224863 must lie between 8000 and 192000 Hz"),
        ("King2019", {"modulation_low_hz": 5e-324, "modulation_high_hz": 4.0}, "modulation_low_hz=5e-324 asks for"),
        ("ModulationBandpass", {"modulation_high_hz": 1e300}, r"modulation_high_hz=1e\+300"),
        ("ModulationBandpass", {"modulation_q": 5e-324}, "modulation_q"),
        ("King2019", {"modulation_q": 1e-300}, "modulation_q"),
        ("CARFAC", {"agc_decimation": [21, 21, 21, 21]}, r"agc_decimation=\[21, 21, 21, 21\]"),
        ("CARFAC", {"erb_q": 2}, "erb_q"),
        ("HairCellEnvelope", {"pooling": np.array("1")}, "pooling has '1'"),
        ("King2019", {"pooling": [[1.0], [2.0, 3.0]]}, r"pooling has \[1.0\]"),
        ("CARFAC", {"pooling": []}, r"pooling=\[\] is empty"),
        ("TemporalPooling", {"statistics": "1"}, "statistics has '1'"),
    ],
)
def test_parameter_beyond_its_limit_is_named(name, parameters, named):
    x = sound_for(name)
    with pytest.raises(ValueError, match=named):
        getattr(skaud, name)(**parameters).fit(x).transform(x)


def test_of_several_changed_parameters_the_one_at_fault_is_named():
    model = skaud.CARFAC(zero_ratio=1e300, tau_lpf=1e-4, erb_per_step=1.0)
    with pytest.raises(ValueError, match=r"^zero_ratio=1e\+300 cannot be computed") as raised:
        model.fit(sound_for("CARFAC"))
    assert "tau_lpf" not in str(raised.value)
    assert not hasattr(model, "coefficients_")


def test_parameter_that_takes_a_response_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"check the parameters: tau2_in=1000.0\.$"):
        skaud.CARFAC(tau2_in=1000.0).fit_transform(sound_for("CARFAC"))


@pytest.mark.parametrize(
    ("name", "parameter", "n"),
    [
        ("AdaptationLoops", "adaptation_time_constants_s", 5),
        ("Osses2021", "adaptation_time_constants_s", 5),
        ("CARFAC", "agc_time_constants_s", 4),
    ],
)
def test_whole_numbers_beyond_64_bits_are_the_numbers_that_they_are(name, parameter, n):
    x = sound_for(name)
    huge, same = ([value] * n for value in (10**40, 1e40))
    np.testing.assert_array_equal(
        getattr(skaud, name)(**{parameter: huge}).fit_transform(x),
        getattr(skaud, name)(**{parameter: same}).fit_transform(x),
    )


LISTS = [
    (name, parameter)
    for name in ALL
    for parameter in getattr(skaud, name)().get_params(deep=False)
    for constraints in [getattr(skaud, name)._parameter_constraints[parameter]]
    if isinstance(constraints, list) and "array-like" in constraints and str not in constraints
]
NO_NUMBERS = {
    "rows of different lengths": [[1.0], [2.0, 3.0]],
    "text": ["0.5"] * 4,
    "text alone": np.array("1"),
    "truth": [True] * 4,
    "complex": [1j] * 4,
    "a set": {1, 2},
    "a dict": {},
    "masked": np.ma.array([0.5] * 4, mask=[0, 0, 0, 1]),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize(("name", "parameter"), LISTS)
def test_a_list_that_holds_no_numbers_is_named(name, parameter, kind):
    with pytest.raises((ValueError, TypeError), match=f"{parameter}"):
        getattr(skaud, name)(**{parameter: NO_NUMBERS[kind]}).fit(sound_for(name))


@pytest.mark.parametrize("learn", [[["velocity_scale"]], np.array("velocity_scale"), [None], [1.0], {}])
def test_what_names_no_parameters_to_learn_is_named(learn):
    x = sound_for("CARFAC")
    with pytest.raises((ValueError, TypeError), match="learn="):
        skaud.CARFAC(learn=learn).fit([x[0], x[0]], [0, 1])


def test_filters_without_axes_are_named():
    with pytest.raises(ValueError, match="filters has 0 parts"):
        skaud.CochlearFilterbank(filters=np.array("roex")).fit()


def test_threads_are_as_many_as_there_is_work_for():
    x = sound_for("AuditorySpectrogram")
    wanted = skaud.AuditorySpectrogram().fit_transform(x)
    np.testing.assert_array_equal(skaud.AuditorySpectrogram(n_jobs=10**9).fit_transform(x), wanted)
