"""
Front ends, and the small networks behind them
==============================================

What `biomimetic_cnn.py` trains: the front end of an arm, and a network that finds phonemes or speech in its responses.
"""

import torch
from torch.nn import functional

from skaud import AuditorySpectrogram, BiomimeticFrontend
from skaud.interop.torch import as_module

N_STRFS = 40
WINDOW, HOP = 256, 80  # of the mask

LEARN = {"full": "full", "cortical": "cortical", "frozen": ()}
ARMS = {f"{name}, {init}": (learn, init) for init in ("log", "random") for name, learn in LEARN.items()}


class Convolution(torch.nn.Module):
    """What stands in place of the receptive fields: ordinary filters over the auditory spectrogram."""

    def __init__(self):
        super().__init__()
        self.spectrogram = as_module(AuditorySpectrogram(pooling=None).fit(), learn=())
        self.filters = torch.nn.Conv2d(1, N_STRFS, 3, padding=1)

    def forward(self, x):
        """Responses (batch, 40, 128, n_frames)."""
        return self.filters(functional.group_norm(self.spectrogram(x)[:, None], 1))


def front_of(arm, seed):
    """Front end of an arm, as a module: sound (batch, n_samples) to responses (batch, 40, 128, n_frames)."""
    if arm == "convolution":
        return Convolution()
    learn, init = ARMS[arm]
    model = BiomimeticFrontend(n_strfs=N_STRFS, init=init, random_state=seed, pooling=None)
    return as_module(model.fit(), learn=learn)


def layers_of(*n_channels):
    """3 x 3 convolutions, each with so many channels more."""
    pairs = zip((N_STRFS, *n_channels), n_channels)
    return torch.nn.ModuleList(torch.nn.Conv2d(before, after, 3, padding=1) for before, after in pairs)


def responses(front, x):
    """Responses of the front end, each piece in units of its own spread."""
    return functional.group_norm(front(x), 1)


class PhonemeNetwork(torch.nn.Module):
    """Classes of the frames, 100 a second: three layers, each of which halves the channels of the spectrogram."""

    def __init__(self, front, n_classes):
        super().__init__()
        self.front, self.layers = front, layers_of(10, 20, 40)
        self.head = torch.nn.Linear(40 * 16, n_classes)

    def forward(self, x):
        """Logits (batch, n_classes, n_frames)."""
        return self.classify(responses(self.front, x))

    def classify(self, y):
        """Logits, from responses."""
        y = functional.avg_pool2d(y, (1, 2))
        for layer in self.layers:
            y = functional.avg_pool2d(functional.gelu(layer(y)), (2, 1))
        return self.head(y.flatten(1, 2).transpose(1, 2)).transpose(1, 2)


class EnhancementNetwork(torch.nn.Module):
    """Speech under a mask: four layers, and a linear map from the spectrogram's channels to the mask's bins."""

    def __init__(self, front):
        super().__init__()
        self.front, self.layers = front, layers_of(20, 40, 10, 1)
        self.bins = torch.nn.Linear(64, WINDOW // 2 + 1)

    def forward(self, x):
        """Speech (batch, n_samples), of mixtures."""
        return self.speech(x, responses(self.front, x))

    def speech(self, x, y):
        """Speech, from mixtures and responses to them."""
        y = functional.avg_pool2d(y, (2, 1))
        for layer in self.layers[:-1]:
            y = functional.gelu(layer(y))
        y = self.layers[-1](y)
        mask = torch.sigmoid(self.bins(y[:, 0].transpose(1, 2))).transpose(1, 2)
        # A frame of the front end ends where the next one of the transform has its centre.
        mask = torch.cat([mask[..., :1], mask], dim=-1)
        return torch.istft(
            stft(x, WINDOW, HOP) * mask, WINDOW, HOP, window=torch.hann_window(WINDOW), length=x.shape[1]
        )


def stft(x, n, hop):
    """Short-time Fourier transform, the frames centred on every hop-th sample."""
    return torch.stft(x, n, hop, window=torch.hann_window(n), return_complex=True)
