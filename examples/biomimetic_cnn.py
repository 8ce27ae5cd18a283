"""
The biomimetic front end trained jointly with a small network
=============================================================

The experiment of Famularo et al. (2024) at a size of one's choice, through `skaud.interop.torch`: a front end and a
small convolutional network behind it, trained together. Two tasks,

1. phonemes, frame by frame, of one second of speech: trained clean, tested on voices unheard, clean and in pink noise;
2. speech out of music and noise at 0 dB, by a mask on a short-time Fourier transform: on what was trained on, on new
   talkers, and on new noises;

and these arms: all parameters of the front end learned ("full"), those of its receptive fields ("cortical"), or none
("frozen"), from both inits; and an ordinary 3 x 3 convolution in place of the receptive fields.

    python examples/biomimetic_cnn.py --phonemes PHONEMES --enhance MIXTURES --size small --output results.jsonl
    python examples/biomimetic_cnn.py --output results.jsonl                     # the tables of what is there
    python examples/published/plot_famularo2024_training.py results.jsonl       # the figures

PHONEMES has a phonemes.csv with path, speaker, start_s, end_s and class; MIXTURES a manifest.csv with path and label:
speech, music, noise. A run that is in the output already is not made again.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from biomimetic_networks import ARMS, EnhancementNetwork, PhonemeNetwork, front_of, responses, stft
from torch.nn import functional

from skaud import audio

RATE = 16000  # a piece has as many samples: one second
LEVEL_DB_SPL = 60.0
LEVEL = 2e-5 * 10 ** (LEVEL_DB_SPL / 20)  # RMS of a piece, in pascals
TEST_SPEAKERS = ("m6", "f5", "linda", "adam")
SNRS_DB = {"clean": np.inf, "3 dB": 3.0, "0 dB": 0.0, "-3 dB": -3.0}
LEARNING_RATE, FRONT_LEARNING_RATE = 3e-3, 5e-3  # of the network; of positions between the front end's bounds
NO_PHONEME = -100  # label of frames that do not count


class Size(NamedTuple):
    """Steps of training in either task, sentences a voice of the test, and mixtures a condition of it."""

    phoneme_steps: int
    enhance_steps: int
    sentences: int
    mixtures: int
    batch: int = 8


SIZES = {
    "smoke": Size(2, 2, 1, 2, batch=2),
    "small": Size(100, 40, 4, 32),
    "medium": Size(900, 400, 20, 120),
    "overnight": Size(3600, 1800, 20, 240),
}


def train(network, draw, loss_of, n_steps):
    """Train on batches that are drawn, with rates that fall to 0; return the loss of every step."""
    own = [parameter for name, parameter in network.named_parameters() if "positions" in name]
    rest = [parameter for name, parameter in network.named_parameters() if "positions" not in name]
    groups = [{"params": own, "lr": FRONT_LEARNING_RATE}, {"params": rest, "lr": LEARNING_RATE}]
    optimiser = torch.optim.Adam([group for group in groups if group["params"]])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_steps)
    losses = []
    for _ in range(n_steps):
        x, wanted = draw()
        loss = loss_of(network(x), wanted)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(round(loss.item(), 4))
    return losses


# --- phonemes ---


class Sentence(NamedTuple):
    """A sentence: sound, and the class of every hundredth of a second."""

    clip: audio.Sound
    labels: np.ndarray
    speaker: str


def load_sentences(folder):
    """Sentences, and the names of the classes."""
    events = pd.read_csv(folder / "phonemes.csv", keep_default_na=False)
    names = sorted(events["class"].unique())
    sentences = []
    for path, own in events.groupby("path"):
        clip = audio.resample(audio.read(folder / path), RATE)
        own = own.sort_values("start_s")
        middle_s = (np.arange(len(clip.samples) // (RATE // 100)) + 0.5) / 100
        event = np.searchsorted(own["start_s"], middle_s, side="right") - 1
        heard = (event >= 0) & (middle_s < own["end_s"].to_numpy()[np.maximum(event, 0)])
        codes = np.searchsorted(names, own["class"])
        sentences.append(Sentence(clip, np.where(heard, codes[event], NO_PHONEME), str(own["speaker"].iloc[0])))
    return sentences, names


def piece(samples, labels, second):
    """A second of a sentence, from a frame on: samples, and labels; beyond its end there is silence."""
    begin = round(100 * second)
    own = samples[begin * RATE // 100 :][:RATE]
    labels = labels[begin : begin + 100]
    return np.pad(own, (0, RATE - len(own))), np.pad(labels, (0, 100 - len(labels)), constant_values=NO_PHONEME)


def as_batch(pieces, dtype):
    """Pieces (samples, what is wanted) as tensors, the samples at their level."""
    x, wanted = map(np.stack, zip(*pieces))
    x = x * LEVEL / (np.sqrt(np.mean(x**2, axis=1, keepdims=True)) + 1e-9)
    return torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(wanted, dtype=dtype)


def run_phonemes(data, arm, seed, size):
    """Accuracy of frames in every condition."""
    sentences, names = data
    random = np.random.default_rng(seed)
    training = [own for own in sentences if own.speaker not in TEST_SPEAKERS]
    if len(training) in (0, len(sentences)):
        raise ValueError(f"the speakers must be of {TEST_SPEAKERS}, which are for the test, and others.")
    network = PhonemeNetwork(front_of(arm, seed), len(names))

    def draw():
        chosen = random.choice(len(training), size.batch)
        latest = [max(0.0, len(training[i].labels) / 100 - 1) for i in chosen]
        pieces = [
            piece(training[i].clip.samples, training[i].labels, random.uniform(0, t)) for i, t in zip(chosen, latest)
        ]
        return as_batch(pieces, torch.long)

    def loss_of(logits, labels):
        return functional.cross_entropy(logits, labels, ignore_index=NO_PHONEME)

    losses = train(network, draw, loss_of, size.phoneme_steps)
    by_speaker = defaultdict(list)
    for own in sentences:
        if own.speaker in TEST_SPEAKERS and len(by_speaker[own.speaker]) < size.sentences:
            by_speaker[own.speaker].append(own)
    tested = [own for group in by_speaker.values() for own in group]
    scores = {}
    for condition, snr_db in SNRS_DB.items():
        noisy = audio.add_noise([own.clip for own in tested], snr_db, "pink", random_state=1000 + seed)
        pieces = [
            piece(clip.samples, own.labels, second)
            for clip, own in zip(noisy, tested)
            for second in range(-(-len(own.labels) // 100))
        ]
        right, n = 0, 0
        with torch.no_grad():
            for begin in range(0, len(pieces), 16):
                x, labels = as_batch(pieces[begin : begin + 16], torch.long)
                counts = labels != NO_PHONEME
                right += int(((network(x).argmax(1) == labels) & counts).sum())
                n += int(counts.sum())
        scores[condition] = right / n
    return network, losses, {arm: scores}, step_times(network, draw, loss_of, network.classify)


# --- enhancement ---


def load_recordings(folder):
    """Recordings by label, speech and maskers."""
    manifest = pd.read_csv(folder / "manifest.csv", keep_default_na=False)
    found = {"speech": [], "masker": []}
    for path, label in zip(manifest["path"], manifest["label"]):
        clip = audio.resample(audio.read(folder / path), RATE)
        found["speech" if label == "speech" else "masker"].append(np.asarray(clip.samples, np.float64))
    return found


def run_enhancement(recordings, arm, seed, size):
    """SI-SDR in every condition; the trained network has heard four fifths of two thirds of the recordings."""
    random = np.random.default_rng(seed)
    known, new, kept = {}, {}, {}
    for kind, own in recordings.items():
        order = random.permutation(len(own))
        n_new = max(1, len(own) // 4)
        new[kind] = [own[i] for i in order[:n_new]]
        cuts = [(own[i], len(own[i]) * 4 // 5) for i in order[n_new:]]
        known[kind] = [samples[:n] for samples, n in cuts]
        kept[kind] = [samples[n:] for samples, n in cuts]
    network = EnhancementNetwork(front_of(arm, seed))

    def draw(speech=known["speech"], maskers=known["masker"], n=size.batch, random=random):
        pieces = []
        for _ in range(n):
            own, other = (loud_second(some[random.integers(len(some))], random) for some in (speech, maskers))
            mixture = own + other  # as strong as each other: 0 dB
            pieces.append((mixture, own * LEVEL / np.sqrt(np.mean(mixture**2))))
        return as_batch(pieces, torch.float32)

    losses = train(network, draw, enhancement_loss, size.enhance_steps)
    scores, before = {}, {}
    conditions = {"original": (kept, kept), "new talker": (new, kept), "new noise": (kept, new)}
    for condition, (speech, maskers) in conditions.items():
        test = np.random.default_rng(1000 + seed)
        found, mixed = [], []
        for _ in range(0, size.mixtures, 16):
            x, wanted = draw(speech["speech"], maskers["masker"], min(16, size.mixtures), test)
            with torch.no_grad():
                found += si_sdr_db(network(x), wanted)
            mixed += si_sdr_db(x, wanted)
        scores[condition] = np.mean(found)
        before[condition] = np.mean(mixed)
    of_mixture = {}

    def speech_of(y):
        return network.speech(of_mixture["x"], y)

    def draw_and_keep():
        of_mixture["x"], wanted = draw()
        return of_mixture["x"], wanted

    return (
        network,
        losses,
        {arm: scores, "mixture": before},
        step_times(network, draw_and_keep, enhancement_loss, speech_of),
    )


def loud_second(samples, random):
    """A second that is not silent, of RMS 1."""
    loudness = np.sqrt(np.mean(samples**2))
    while True:
        begin = random.integers(len(samples) - RATE)
        own = samples[begin : begin + RATE]
        rms = np.sqrt(np.mean(own**2))
        if rms > 0.5 * loudness:
            return own / rms


def enhancement_loss(found, wanted):
    """L1 of the waveform and of complex transforms at three scales, in units of the level."""
    loss = functional.l1_loss(found, wanted)
    for n in (256, 512, 1024):
        loss = loss + (stft(found, n, n // 4) - stft(wanted, n, n // 4)).abs().mean() / n**0.5
    return loss / LEVEL


def si_sdr_db(found, wanted):
    """Scale-invariant signal-to-distortion ratio of every item."""
    found, wanted = (x.double() - x.double().mean(1, keepdim=True) for x in (found, wanted))
    projection = (found * wanted).sum(1, keepdim=True) / (wanted**2).sum(1, keepdim=True) * wanted
    ratio = (projection**2).sum(1) / ((found - projection) ** 2).sum(1)
    return (10 * torch.log10(ratio)).tolist()


# --- what is written down ---


def step_times(network, draw, loss_of, of_responses):
    """Processor seconds of a training step, and of it without the front end."""
    x, wanted = draw()
    times = []
    for _ in range(3):
        begin = time.process_time()
        loss_of(network(x), wanted).backward()
        whole = time.process_time() - begin
        y = responses(network.front, x).detach().requires_grad_()
        begin = time.process_time()
        loss_of(of_responses(y), wanted).backward()
        times.append((whole, time.process_time() - begin))
    return np.median(times, axis=0).round(4).tolist()


def learned(front):
    """Parameters of a front end, before and after."""
    if not getattr(front, "positions", None):
        return {}
    model = front.to_estimator()
    values = {name: np.atleast_1d(value).round(5).tolist() for name, value in front.values().items()}
    initial = ("initial_scales_cycles_per_octave", "initial_rates_hz")
    return values | {name: np.round(getattr(model, f"{name}_"), 5).tolist() for name in initial}


TASKS = {"phonemes": (run_phonemes, load_sentences), "enhancement": (run_enhancement, load_recordings)}


def main():
    """Run what is asked for and not there yet; print tables of what is there."""
    options = parse()
    torch.set_num_threads(options.threads)
    done = read(options.output)
    for task, folder in (("phonemes", options.phonemes), ("enhancement", options.enhance)):
        if folder is None:
            continue
        run, load = TASKS[task]
        data = load(folder)
        for seed, arm in ((seed, arm) for seed in options.seeds for arm in options.arms):
            if any(
                (row["task"], row["arm"], row["seed"], row["size"]) == (task, arm, seed, options.size) for row in done
            ):
                continue
            torch.manual_seed(seed)
            begin = time.process_time()
            network, losses, scores, step_s = run(data, arm, seed, SIZES[options.size])
            row = {"task": task, "arm": arm, "seed": seed, "size": options.size, "scores": {}}
            for name, own in scores.items():
                row["scores"][name] = {condition: round(float(score), 4) for condition, score in own.items()}
            row |= {
                "processor_s": round(time.process_time() - begin, 1),
                "step_s": step_s[0],
                "step_without_s": step_s[1],
            }
            row |= {"loss": losses[:: max(1, len(losses) // 40)], "learned": learned(network.front)}
            with options.output.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(task, arm, seed, row["scores"], f"{row['processor_s']:.0f} s", flush=True)
            done.append(row)
    for task in TASKS:
        for size in SIZES:
            rows = [row for row in done if (row["task"], row["size"]) == (task, size)]
            if rows:
                print(f"\n{task}, size {size}\n\n{table(rows)}")


def parse():
    """Options of the command."""
    parser = argparse.ArgumentParser(description="The experiment of Famularo et al. (2024).")
    parser.add_argument("--phonemes", type=Path, help="folder with a phonemes.csv")
    parser.add_argument("--enhance", type=Path, help="folder of speech, music and noise with a manifest.csv")
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=[*ARMS, "convolution"], choices=[*ARMS, "convolution"])
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--output", type=Path, default=Path("biomimetic_cnn.jsonl"))
    return parser.parse_args()


def read(path):
    """Rows of a file of results."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(rows):
    """Mean over seeds, the lowest and the highest, as a table in Markdown."""
    conditions = list(rows[0]["scores"][rows[0]["arm"]])
    lines = ["| arm | seeds | " + " | ".join(conditions) + " | front end's part of a step |"]
    lines.append("| --- " * (len(conditions) + 3) + "|")
    for arm in dict.fromkeys(name for row in rows for name in row["scores"]):
        own = [row for row in rows if arm in row["scores"]]
        seeds = {row["seed"]: row["scores"][arm] for row in own}  # of the mixture, every arm's are the same
        values = [[scores[condition] for scores in seeds.values()] for condition in conditions]
        cells = [f"{np.mean(v):.3f} ({min(v):.3f} to {max(v):.3f})" for v in values]
        part = f"{np.mean([1 - row['step_without_s'] / row['step_s'] for row in own]):.2f}" if arm in ARMS else ""
        lines.append(f"| {arm} | {len(seeds)} | " + " | ".join(cells) + f" | {part} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
