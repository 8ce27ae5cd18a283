"""What the gallery's scripts are called with, where what they do unless told otherwise takes minutes; their order."""

ARGUMENTS = {"plot_biomimetic_training.py": ["--per-class", "3", "--iterations", "3"]}


def arguments(gallery_conf, script_vars):
    """Arguments of a script, as sphinx-gallery asks for them."""
    return next((ARGUMENTS[name] for name in ARGUMENTS if script_vars["src_file"].endswith(name)), [])


class PicturesFirst:
    """Order of a folder's scripts: those that draw something here, then those that need recordings of one's own."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, name):
        """Key by which sphinx-gallery sorts."""
        return not name.startswith("plot_"), name
