"""A recipe, and its steps' parameters, from the words of a command."""

import argparse
from typing import Any

from skaud.command.errors import UsageError

NAMES = ("best", "carfac_cepstra", "strf_cepstra", "modulation_cepstra", "auditory_spectrogram_cepstra")
_LEFT_OUT = (
    "n_jobs",
    "verbose",
    "memory",
    "transform_input",
    "signals_at_once",
    "plain_sample_rate",
    "steps",
    "transformer_list",
)


def make_recipe(options: argparse.Namespace, parameters: dict[str, Any]) -> Any:
    """Pipeline of a recipe with parameters of its steps set, not yet fitted."""
    from skaud import recipes

    if options.recipe not in NAMES:
        raise UsageError(f"--recipe {options.recipe} must be one of: {', '.join(NAMES)}.")
    if options.segments is not None:
        raise UsageError("--segments is for --model; a recipe's parts are a parameter, such as pooling__statistics.")
    make = getattr(recipes, options.recipe)
    features = make() if options.sample_rate is None else make(options.sample_rate)
    valid = recipe_parameters(features)
    for name in parameters:
        if name not in valid:
            raise UsageError(f"--param {name}: {options.recipe} has no such parameter, it has: {', '.join(valid)}.")
    return features.set_params(**parameters)


def recipe_parameters(features: Any) -> dict[str, Any]:
    """Parameters of the steps that decide what the features are, by name."""
    return {
        name: value
        for name, value in features.get_params().items()
        if name.split("__")[-1] not in _LEFT_OUT and not hasattr(value, "get_params")
    }
