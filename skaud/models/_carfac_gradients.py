"""CARFAC's derivatives: checkpoints, the reverse run, and from coefficients back to parameters."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np

from skaud._gradients import STEP
from skaud._learning import LearningTransformer
from skaud.design import carfac as design
from skaud.kernels import carfac_adjoint as adjoint
from skaud.kernels import carfac_lanes as lanes
from skaud.kernels import carfac_layout as layout
from skaud.models._carfac_limits import learning_bounds, resolve_n_fibers, resolve_ohc_health
from skaud.models._carfac_runs import CARFACRuns, fibers_of_ears, state_of_ears

CAR = ("ohc_health", "velocity_scale", "v_offset", "min_zeta", "max_zeta")
HAIR_CELLS = {
    "just_hwr": (),
    "one_cap": ("tau_lpf", "tau_out", "tau_in"),
    "two_cap": ("tau_lpf", "tau1_out", "tau1_in", "tau2_out", "tau2_in"),
    "two_cap_with_syn": ("tau_lpf", "tau1_out", "tau1_in", "tau2_out", "tau2_in"),
}
AGC = ("agc_time_constants_s", "agc_stage_gain", "agc_mix_coeff")
CHANNELWISE = ("ohc_health", "n_fibers")


class CARFACGradients(CARFACRuns, LearningTransformer):
    """CARFAC's derivatives, once it is designed."""

    sample_rate: float
    use_delay_buffer: bool

    def _differentiable(self) -> tuple[str, ...]:
        names = self._names_of_one_ear()
        # The reverse run sums over ears, which leaves no derivative of what each has of its own; in open loop the
        # damping starts from the health, and so do the derivatives of its limits.
        summed = CHANNELWISE + (("min_zeta", "max_zeta") if self.open_loop else ())
        return names if len(self._ears_) == 1 else tuple(name for name in names if name not in summed)

    def _learnable_names(self) -> tuple[str, ...]:
        return tuple(name for name in self._names_of_one_ear() if not (self.open_loop and name in AGC))

    def _names_of_one_ear(self) -> tuple[str, ...]:
        synapse = ("n_fibers",) if self.ihc_style == "two_cap_with_syn" else ()
        return CAR + HAIR_CELLS[self.ihc_style] + AGC + synapse

    def _bounds(self) -> dict[str, tuple[Any, Any]]:
        return learning_bounds(self, self._parameters())

    def _run_vjp(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, wrt: tuple[str, ...]
    ) -> tuple[list[np.ndarray], Callable]:
        (n_ears, n_samples), x = clips[0].shape, np.concatenate(clips)
        plan, (taps, first) = self._kernel_plan(n_ears), self._taps(output)
        state = self._state(len(x))
        n_frames = n_samples if frame_length is None else max(1, n_samples // frame_length)
        out = np.empty((len(x), max(1, len(taps)), self.n_channels_, n_frames), self.dtype)
        work = layout.workspace(plan, len(x), len(taps))
        # Checkpoints every about sqrt(n_samples): they and the tape between two of them grow like this root.
        segment = layout.SEGMENT * ceil(sqrt(n_samples) / layout.SEGMENT)
        checkpoints, filled = layout.Checkpoints.empty(state, ceil(n_samples / segment)), 0
        for start in range(0, n_samples, segment):
            stop = min(start + segment, n_samples)
            checkpoints.save(start // segment, state)
            if frame_length is None:
                lanes.run(x, start, stop, state, plan, taps, first, work, out)
            else:
                filled = lanes.run_frames(x, start, stop, state, plan, taps, first, frame_length, work, out, filled)
        if frame_length is not None and filled == 0:
            lanes.close_frame(state, plan, out, 0)
            frame_length = n_samples
        own = [slice(i * n_ears, (i + 1) * n_ears) for i in range(len(clips))]

        def pullback(value_bars: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
            value_bar = value_bars[0] if len(value_bars) == 1 else np.concatenate(value_bars)
            x_bar, bars = self._reverse(x, value_bar, output, frame_length or 1, segment, checkpoints, n_ears, wrt)
            constants_bar, lines_bar = self._sum_bars(bars)
            if output == "receptor_potential":
                constants_bar[lanes.Constants._fields.index("cap1_rest")] += value_bar.sum(dtype=float)
            grads = {name: self._design_vjp(name, constants_bar, bars.table, lines_bar) for name in wrt if name != "X"}
            if output == "firings" and "n_fibers" in wrt:
                released = (value_bar * np.moveaxis(out, 1, 2)).sum(axis=(0, 3), dtype=float)
                released *= self.ihcs_per_channel
                grads["n_fibers"] += self._as_given("n_fibers", released)
            return [x_bar[rows] for rows in own], grads

        return [self._finish(output, out[rows]) for rows in own], pullback

    def _finish_adjoint(self, output: str, value_bar: np.ndarray) -> np.ndarray:
        if output == "firings":
            # np.moveaxis(response, 1, 2) * fibers
            return np.moveaxis(value_bar * fibers_of_ears(self._ears_).astype(self.dtype)[..., np.newaxis], 2, 1)
        # cap1_rest - response
        return (-value_bar if output == "receptor_potential" else value_bar)[:, np.newaxis]

    def _reverse(
        self,
        x: np.ndarray,
        value_bar: np.ndarray,
        output: str,
        frame_length: int,
        segment: int,
        checkpoints: layout.Checkpoints,
        n_ears: int,
        wrt: tuple[str, ...],
    ) -> tuple[np.ndarray, layout.Bars]:
        """Bars of x and, summed over its samples, of everything else."""
        (n_rows, n_samples), plan = x.shape, self._kernel_plan(n_ears)
        taps, first = self._taps(output)
        value_bar = self._finish_adjoint(output, np.asarray(value_bar, self.dtype))
        if frame_length > 1:
            value_bar = value_bar / np.dtype(self.dtype).type(frame_length)
        value_bar = np.require(value_bar, self.dtype, ["C_CONTIGUOUS", "WRITEABLE"])
        of_agc = any(name in AGC for name in wrt)
        wanted = adjoint.OF_CAR * any(name in CAR[1:] for name in wrt)
        wanted += adjoint.OF_CELL * any(name in HAIR_CELLS[self.ihc_style] for name in wrt)
        state, bars = self._state(n_rows), layout.zero_bars(plan, n_rows)
        tape = layout.empty_tape(plan, n_rows, min(segment, n_samples), keep=of_agc)
        seeds = np.zeros(
            (1 + len(taps), n_rows, min(segment, n_samples), int(plan.sizes[0]) * layout.LANES), self.dtype
        )
        work, x_bar = adjoint.reverse_workspace(plan, n_rows), np.empty_like(x)
        adjoint.reverse(
            x,
            segment,
            checkpoints,
            state,
            plan,
            value_bar,
            frame_length,
            taps,
            first,
            bars,
            tape,
            seeds,
            wanted,
            work,
            x_bar,
        )
        return x_bar, bars

    def _sum_bars(self, bars: layout.Bars) -> tuple[np.ndarray, np.ndarray]:
        """Bars of the constants, and of the lines, (n_channels, n_rows of a group), summed over signals and ears."""
        lines = bars.lines.sum(axis=0, dtype=float) + bars.summed
        groups = lines.reshape(-1, layout.BARS_GROUP // layout.LANES, layout.LANES)
        group, lane = np.divmod(layout.lane_position(self.n_channels_), layout.LANES)
        channels = groups[group + 1, :, lane]
        return channels[:, layout.N_ROWS :].sum(axis=0), channels[:, : layout.N_ROWS]

    # --- from coefficients to parameters ---

    def _resolve(self, parameters: dict[str, Any], pole_hz: np.ndarray) -> list[dict[str, Any]]:
        """Parameters as the design takes them: an entry a channel where they may have one, for all ears or for each."""
        ears: list[dict[str, Any]] = [{}]
        if np.ndim(self._found_.get("ohc_health", 1.0)) == 2:  # a fit found the health of every ear
            found = {name: self._found_[name] for name in CHANNELWISE if name in self._found_}
            ears = [dict(zip(found, own)) for own in zip(*found.values())]
        resolved = []
        for given in ({**parameters, **own} for own in ears):
            fibers = resolve_n_fibers(self, given["n_fibers"], pole_hz)
            given["ohc_health"] = resolve_ohc_health(self, given["ohc_health"], pole_hz)
            given["n_fibers"] = np.broadcast_to(fibers, (len(pole_hz), layout.N_CLASSES))
            resolved.append(given)
        return resolved

    def _design_vjp(
        self, name: str, constants_bar: np.ndarray, table_bar: np.ndarray, lines_bar: np.ndarray
    ) -> np.ndarray:
        """Bar of a parameter, from the bars of all that is designed from it: a complex step through the design."""
        if name == "ohc_health" and not self.open_loop:  # it stands in the lines as it is
            return self._as_given(name, lines_bar[:, layout.HEALTH // layout.LANES])
        parameters = self._resolve(self._parameters(), self.pole_frequencies_hz_)[0]
        value = np.asarray(parameters[name])
        group, lane = np.divmod(layout.lane_position(self.n_channels_), layout.LANES)

        def through_design(step: np.ndarray) -> tuple[float, np.ndarray]:
            plan, state, _ = self._complex_design([parameters | {name: value + step}])
            lines = state.lines.imag.reshape(-1, layout.N_ROWS, layout.LANES)[group + 1, :, lane]
            of_channels = (lines * lines_bar).sum(axis=1) / STEP
            constants = plan.constants.imag[: len(constants_bar)]
            of_all = (constants @ constants_bar + (plan.table.imag * table_bar).sum()) / STEP
            return of_all, of_channels

        if name == "ohc_health":  # a channel's own acts on that channel's coefficients only
            return self._as_given(name, through_design(np.full(self.n_channels_, STEP * 1j))[1])
        if name == "n_fibers":
            classes = [through_design(STEP * 1j * unit)[1] for unit in np.eye(layout.N_CLASSES)]
            return self._as_given(name, np.stack(classes, axis=1))
        bar = np.empty(value.shape)
        for index in np.ndindex(value.shape):
            step = np.zeros(value.shape, complex)
            step[index] = STEP * 1j
            of_all, of_channels = through_design(step)
            bar[index] = of_all + of_channels.sum()
        return bar

    def _as_given(self, name: str, bar: np.ndarray) -> np.ndarray:
        """Bar of a parameter that has an entry a channel, summed where one number was given for all of them."""
        given = self._found_.get(name, getattr(self, name))
        ndim = bar.ndim if given is None or callable(given) else np.ndim(given)
        return bar if ndim == bar.ndim else bar.sum(axis=0)

    def _differentiated(self, name: str) -> np.ndarray:
        given = self._parameters()[name]
        if given is None or callable(given):
            given = self._resolve(self._parameters(), self.pole_frequencies_hz_)[0][name]
        return np.asarray(given, dtype=float)

    def _complex_design(
        self, ears: Sequence[Mapping[str, Any]], n_rows: int = 1, n_outputs: int = 1
    ) -> tuple[layout.Plan, layout.State, list[design.CARFACCoefficients]]:
        """Plan and initial state, in complex numbers, for parameters of which some are complex."""
        coefficients = [design.design_carfac(self.sample_rate, self.ihc_style, ear) for ear in ears]
        style = design.IHC_STYLES.index(self.ihc_style)
        delay, closed = bool(self.use_delay_buffer), not self.open_loop
        plan = layout.make_plan(coefficients[0], style, np.complex128, delay=delay, closed=closed)
        open_loop = bool(self.open_loop)
        state = state_of_ears(coefficients, np.complex128, n_rows, n_outputs=n_outputs, open_loop=open_loop)
        return plan, state, coefficients

    def _run_complex(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, parameters: dict[str, Any]
    ) -> list[np.ndarray]:
        taps, first = self._taps(output)
        ears = [ear | parameters for ear in self._resolve(self._parameters(), self.pole_frequencies_hz_)]
        responses = []
        for clip in clips:
            n_ears, n_samples = clip.shape
            plan, state, coefficients = self._complex_design(ears, n_ears, max(1, len(taps)))
            plan, work = plan.with_ears(n_ears), layout.workspace(plan, n_ears, len(taps))
            n_frames = n_samples if frame_length is None else max(1, n_samples // frame_length)
            out = np.empty((n_ears, max(1, len(taps)), self.n_channels_, n_frames), complex)
            if frame_length is None:
                lanes.run(clip, 0, n_samples, state, plan, taps, first, work, out)
            elif not lanes.run_frames(clip, 0, n_samples, state, plan, taps, first, frame_length, work, out, 0):
                lanes.close_frame(state, plan, out, 0)
            responses.append(_finish_complex(output, out, coefficients))
        return responses


def _finish_complex(output: str, response: np.ndarray, ears: list[design.CARFACCoefficients]) -> np.ndarray:
    if output == "firings":
        return np.moveaxis(response, 1, 2) * fibers_of_ears(ears)[..., np.newaxis]
    if output == "receptor_potential":
        return ears[0].hair_cell.cap1_rest - response[:, 0]  # type: ignore[union-attr]
    return response[:, 0]
