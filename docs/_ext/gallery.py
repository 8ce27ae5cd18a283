"""What the gallery's scripts are called with, where what they do unless told otherwise takes minutes."""

ARGUMENTS = {"plot_biomimetic_training.py": ["--per-class", "3", "--iterations", "3"]}


def arguments(gallery_conf, script_vars):
    """Arguments of a script, as sphinx-gallery asks for them."""
    return next((ARGUMENTS[name] for name in ARGUMENTS if script_vars["src_file"].endswith(name)), [])
