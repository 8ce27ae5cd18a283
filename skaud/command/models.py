"""A model and its parameters from the words of a command."""

import argparse
import ast
import importlib
from typing import Any

from skaud.command.errors import UsageError
from skaud.command.recipe import NAMES as RECIPES
from skaud.command.recipe import make_recipe, recipe_parameters

# Name on the command line -> module and class.
MODELS = {
    "carfac": ("skaud.models.carfac", "CARFAC"),
    "osses2021": ("skaud.models.osses2021", "Osses2021"),
    "dau1997": ("skaud.models.dau1997", "Dau1997"),
    "king2019": ("skaud.models.king2019", "King2019"),
    "biomimetic": ("skaud.models.biomimetic", "BiomimeticFrontend"),
}
MOST_SEGMENTS, MOST_FEATURES = 1000, 1_000_000
_LONGEST_VALUE = 10_000  # characters
_PROBE_S, _PROBE_DB_SPL = 0.02, 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a model."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", default="carfac", help=f"one of: {', '.join(MODELS)} (default: %(default)s)")
    what.add_argument("--recipe", metavar="NAME", help=f"features for a classifier, one of: {', '.join(RECIPES)}")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="parameter of the model, such as --param ohc_health=0.5, or of a recipe's step, carfac__ohc_health=0.5; "
        "repeat as needed",
    )
    parser.add_argument(
        "--sample-rate",
        type=float,
        metavar="HZ",
        help="rate of the model, or of the sound that a recipe is made for; files at other rates are resampled",
    )
    parser.add_argument(
        "--segments",
        type=int,
        metavar="N",
        help="pool the model's statistics in each of N equal parts of a file, which keeps the course of a word",
    )


def make_model(options: argparse.Namespace) -> Any:
    """Model or recipe with its parameters set, not yet fitted."""
    parameters = _parse(options.param)
    if options.recipe is not None:
        return make_recipe(options, parameters)
    if options.model not in MODELS:
        raise UsageError(f"--model {options.model} must be one of: {', '.join(MODELS)}.")
    module, name = MODELS[options.model]
    model = getattr(importlib.import_module(module), name)()
    valid = [parameter for parameter in model.get_params(deep=False) if parameter != "n_jobs"]
    for parameter in parameters:
        if parameter not in valid:
            raise UsageError(f"--param {_short(parameter)}: {name} has no such parameter, it has: {', '.join(valid)}.")
    if options.sample_rate is not None:
        if parameters.get("sample_rate", options.sample_rate) != options.sample_rate:
            raise UsageError(f"--sample-rate {options.sample_rate:g} and --param sample_rate differ; give one of them.")
        rate = options.sample_rate
        parameters["sample_rate"] = int(rate) if rate.is_integer() else rate
    pooling = parameters.get("pooling", model.pooling)
    if pooling is None:
        raise UsageError("--param pooling=None leaves frames, not a row a file; name statistics, such as pooling=mean.")
    if options.segments is not None:
        from skaud.pooling.statistics import several
        from skaud.pooling.temporal import TemporalPooling

        if not 1 <= options.segments <= MOST_SEGMENTS:
            raise UsageError(f"--segments {options.segments} must lie between 1 and {MOST_SEGMENTS}.")
        if "pooling" not in parameters:
            pooling = several(pooling)  # the default's own parts give way
        parameters["pooling"] = TemporalPooling(pooling, segments=options.segments)
    return model.set_params(**parameters)


def parameters_of(options: argparse.Namespace, model: Any) -> dict[str, Any]:
    """What decides what the features are, but for how recordings are taken."""
    if options.recipe is not None:
        return {"recipe": options.recipe, **recipe_parameters(model)}
    parameters = {"model": options.model, **model.get_params(deep=False)}
    del parameters["n_jobs"]
    return parameters


def fit(model: Any, n_ears: int | None) -> None:
    """Fit a model for clips of so many ears, and try it: what is wrong with it then is no recording's fault."""
    import numpy as np

    from skaud import audio

    try:
        model.fit([np.zeros(1 if n_ears is None else (n_ears, n_ears), np.float32)])
        noise = audio.make_noise(max(2, round(_PROBE_S * model.sample_rate)), "white", 0, "float32")
        noise = audio.set_level(noise, _PROBE_DB_SPL, level_of_one(model))
        n_features = model.transform([noise if n_ears is None else np.stack([noise] * n_ears)]).shape[1]
        if not n_features:
            raise ValueError("the model has no features")
        if n_features > MOST_FEATURES:
            raise ValueError(
                f"a row would have {n_features} features, more than {MOST_FEATURES}; pool over fewer parts"
            )
    except (KeyboardInterrupt, OSError):
        raise
    except Exception as error:  # whatever parameters make it say
        raise UsageError(_short(f"{type(model).__name__} cannot be had with these parameters: {error}", 500)) from error


def front(model: Any) -> Any:
    """What hears the sound: the model, or that of a recipe."""
    return model.steps[0][1] if hasattr(model, "steps") else model


def level_of_one(model: Any) -> float:
    """Level in dB SPL that an RMS of 1.0 stands for."""
    model = front(model)
    given = getattr(model, "rms_one_db_spl", None)
    return float(model.full_scale_db_spl if given is None else given)


def _parse(texts: list[str]) -> dict[str, Any]:
    """Parameters by name."""
    parameters: dict[str, Any] = {}
    for text in texts:
        parameter, separator, value = text.partition("=")
        if not separator:
            raise UsageError(f"--param {_short(text)} must be name=value.")
        if parameter in parameters:
            raise UsageError(f"--param {parameter} is given twice; give it once.")
        parameters[parameter] = _value(parameter, value)
    return parameters


def _value(parameter: str, text: str) -> Any:
    """Python literal, or else the text itself."""
    if len(text) > _LONGEST_VALUE:
        raise UsageError(f"--param {parameter} has {len(text)} characters, more than {_LONGEST_VALUE}; shorten it.")
    try:
        value = ast.literal_eval(text)
    except (RecursionError, MemoryError) as error:
        raise UsageError(f"--param {parameter}={_short(text)} is nested too deeply; simplify it.") from error
    except (ValueError, SyntaxError, TypeError):
        return text
    if isinstance(value, int) and abs(value) > 2**63:
        raise UsageError(f"--param {parameter}={_short(text)} must lie within 64 bits; give a smaller number.")
    return value


def _short(text: str, most: int = 100) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
