"""Stage 2: the simulated arm is fitted to the recorded motion, and the noise estimated on the way.

Signals count by their noise, which is estimated at the start and again after the fit, or where the
model is wrong by what is left of each (`weighting`), and are fitted again where that changes. Chi
square is told by the noise all the same.

What the data do not tell stays near where the parametrisation has it: within some five large
changes of it, or what the description's own uncertainty is. What they do move by more than those
five is fitted again from there, so that the guess of its size holds nothing back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.bags.recording import Recording
from sinew_core.errors import IdentificationError, UnstableError
from sinew_core.robots.arrays import Array
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.cma import wide_search
from sinew_core.sysid.confidence import MISMATCH, Confidence, Stretch, confidence
from sinew_core.sysid.identifiable import accepted_sigma
from sinew_core.sysid.identification import HeldOut
from sinew_core.sysid.least_squares import Box, Fit, Progress, least_squares
from sinew_core.sysid.options import IdentifyOptions
from sinew_core.sysid.output_error import OutputError, Weights
from sinew_core.sysid.parametrisation import STEP_SHARE, Parametrisation
from sinew_core.sysid.pieces import Piece, cut
from sinew_core.sysid.plants import make_pool
from sinew_core.sysid.rollouts import RolloutPool
from sinew_core.sysid.stopping import uninterrupted
from sinew_core.sysid.validation import held_out, nominal_arm
from sinew_core.sysid.weighting import (
    chi2_of,
    first_noise,
    least_noise,
    noise_left,
    residual_rad_of,
    similar,
    weights_of,
)

FARTHEST = 5.0
"""Large changes: the standard deviation of what nothing is known of beforehand."""
_MORE, _FLAT = 2.0, 0.05
"""Accepted deviations by which a friction is raised, and the share of the promised change of the
residuals below which there is none."""
_LET_GO = 10.0
"""By which a guess of a size is widened that the data contradict."""
_ROUNDS = 4
_NOWHERE_NEAR = 0.2
"""Root mean square of the positions' residuals, as a share of the motion's, from which on another
start is looked for."""
_SEARCH_S = 10.0
_SEARCH_SAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class IdentifyProgress:
    """What an identification is doing.

    Attributes:
        stage: `start`, `fit`, `search`, `refit`, `left out`, `validation`.
        step: accepted steps of a fit, generations of a search.
        cost: mean square of the residuals over their noise, nan where there is none.
    """

    stage: str
    step: int = 0
    cost: float = float("nan")


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """The arm that was found, and how.

    Attributes:
        params: the arm.
        values: (p,) of the parametrisation's names.
        accepted: (p,) deviations that count as known.
        box: bounds and priors of the end.
        problem: what was fitted to what, with the weights of the end.
        fit: its end.
        confidence: of the values.
        noise: standard deviations that chi-square goes by.
        chi2_per_sample: mean square of the residuals over the noise, less one for each unknown.
        residual_rad: (n,) root mean square in position.
        cost_history: mean square of the residuals over the noise, falling.
        closed: whether a controller was closed around the arm.
        reweighted: whether signals were weighted by their residuals.
        sticking: indices of frictions whose joint sticks, so that more of it changes nothing.
    """

    params: SimParams
    values: Array
    accepted: Array
    box: Box
    problem: OutputError
    fit: Fit
    confidence: Confidence
    noise: Weights
    chi2_per_sample: float
    residual_rad: Array
    cost_history: tuple[float, ...]
    closed: bool
    reweighted: bool
    sticking: frozenset[int]


class Fitter:
    """Fits one recording."""

    def __init__(
        self,
        recording: Recording,
        parametrisation: Parametrisation,
        pool: RolloutPool,
        options: IdentifyOptions,
        progress: Callable[[IdentifyProgress], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Take what is fitted to what."""
        self._recording, self._parametrisation, self._pool = recording, parametrisation, pool
        self._options, self._tell = options, progress or (lambda _: None)
        self._clock, self._until_s = clock, np.inf
        self.closed = recording.commands is not None and recording.commands.mode != "effort"
        size = parametrisation.step / STEP_SHARE
        self._prior_is_known = parametrisation.prior_sigma <= FARTHEST * size
        self._box = Box(
            lower=parametrisation.lower,
            upper=parametrisation.upper,
            prior_mean=parametrisation.prior_mean,
            prior_sigma=np.minimum(parametrisation.prior_sigma, FARTHEST * size),
        )

    def run(self, begin_s: float, end_s: float) -> Fitted:
        """Fit the motion between two times.

        Raises:
            IdentificationError: it holds no continuous motion.
        """
        pieces = self._pieces(self._recording, begin_s, end_s)
        self._until_s = self._clock() + (self._options.max_fit_s or np.inf)
        robot, options = self._parametrisation.robot, self._options
        start = self._parametrisation.start
        least = least_noise(robot, self._parametrisation.params(start))
        problem = self._problem(pieces, first_noise(self._recording, least, options))
        noise = noise_left(problem, problem.weights, start, problem.starts(), least, options)
        problem = self._problem(pieces, noise)
        fit = self._fit(problem, start, problem.starts(), "fit")
        if options.global_search and self._is_nowhere_near(problem, fit):
            fit = self._fit_anew(problem, fit, pieces, start)
        history, anew = fit.cost_history, False
        if not fit.blocks:
            raise self._hopeless(fit)
        for _ in range(_ROUNDS):
            if fit.ended in ("interrupted", "time"):
                break
            noise = noise_left(problem, noise, fit.shared, fit.own, least, options)
            weights = weights_of(problem, fit, noise)
            if self._let_go(fit) or not similar(problem.weights, weights):
                problem = problem.reweighted(weights, fit)
            elif fit.ended == "stuck" and not anew:
                # Its first differences are wide, and see past the kink where the finer ones ended.
                problem, anew = self._problem(pieces, weights), True
            else:
                break
            fit = self._fit(problem, fit.shared, fit.own, "refit")
        with uninterrupted() as request:
            fitted = self._fitted(problem, fit, noise, history)
        if not request.asked:
            return fitted
        return dataclasses.replace(fitted, fit=dataclasses.replace(fit, ended="interrupted"))

    def validate(
        self,
        fitted: Fitted,
        motion: Recording,
        begin_s: float,
        end_s: float,
        from_s: float,
        source: str,
    ) -> HeldOut:
        """Return motion between two times, compared from a third one on, beside its simulations.

        Raises:
            IdentificationError: it holds no continuous motion.
        """
        self._tell(IdentifyProgress(stage="validation"))
        weights = dataclasses.replace(fitted.noise, effort_nm=None)
        nominal = nominal_arm(self._parametrisation, fitted.params)
        pieces = self._pieces(motion, begin_s, end_s)
        with self._nominal_pool(nominal, motion) as of_nominal:
            return held_out(
                (nominal, of_nominal),
                (fitted.params, self._pool),
                pieces,
                weights,
                forgets=self.closed,
                from_s=from_s,
                source=source,
                defects=() if motion is self._recording else motion.defects,
            )

    def _nominal_pool(
        self, nominal: SimParams, motion: Recording
    ) -> contextlib.AbstractContextManager[RolloutPool]:
        """Return what runs the nominal arm, whose gains may ask for finer steps without rotors."""
        try:
            return make_pool(self._parametrisation.robot, nominal, motion, self._options)
        except UnstableError:
            # No steps are fine enough: it diverges, and is shown so.
            return contextlib.nullcontext(self._pool)

    def _pieces(
        self, motion: Recording, begin_s: float, end_s: float, *, most: int = 0
    ) -> tuple[Piece, ...]:
        """Return the motion between two times in pieces, with so many samples at most."""
        inside = int(np.count_nonzero((motion.time_s >= begin_s) & (motion.time_s <= end_s)))
        stride = -(-inside // (most or self._options.max_samples))
        window = None if self.closed else self._options.window_s
        pieces = cut(motion, begin_s, end_s, window_s=window, stride=max(1, stride))
        if not pieces:
            raise IdentificationError(
                f"{motion.source}: no continuous motion between {begin_s:.3g} and {end_s:.3g} s: "
                "record without gaps, or reduce held_out_share"
            )
        return pieces

    def _problem(self, pieces: Sequence[Piece], weights: Weights) -> OutputError:
        return OutputError(self._parametrisation, self._pool, pieces, weights, forgets=self.closed)

    def _fit(self, problem: OutputError, start: Array, own: Sequence[Array], stage: str) -> Fit:
        def tell(progress: Progress) -> None:
            self._tell(IdentifyProgress(stage=stage, step=progress.step, cost=progress.cost))

        return least_squares(
            problem,
            start,
            own,
            self._box,
            max_steps=self._options.max_steps,
            progress=tell,
            out_of_time=self._out_of_time,
        )

    def _out_of_time(self) -> bool:
        return self._clock() > self._until_s

    def _let_go(self, fit: Fit) -> bool:
        """Free what the data move by more than its guessed size; return whether there was any."""
        box = self._box
        held_back = ~self._prior_is_known & (np.abs(box.prior(fit.shared)) > 1.0)
        self._box = dataclasses.replace(
            box,
            prior_mean=np.where(held_back, fit.shared, box.prior_mean),
            prior_sigma=np.where(held_back, _LET_GO * box.prior_sigma, box.prior_sigma),
        )
        return bool(held_back.any())

    def _fit_anew(
        self, problem: OutputError, fit: Fit, pieces: Sequence[Piece], start: Array
    ) -> Fit:
        """Return a fit from a start that is searched for, or the first where it is no better."""
        try:
            other = self._search(pieces, problem.weights, start)
        except KeyboardInterrupt:
            return dataclasses.replace(fit, ended="interrupted")
        anew = self._fit(problem, other, problem.starts(), "fit")
        if not fit.blocks or (anew.blocks and anew.cost_history[-1] < fit.cost_history[-1]):
            return anew
        cut_short = anew.ended in ("interrupted", "time")
        return dataclasses.replace(fit, ended=anew.ended) if cut_short else fit

    def _is_nowhere_near(self, problem: OutputError, fit: Fit) -> bool:
        if fit.ended in ("interrupted", "time"):
            return False
        if not fit.blocks:
            return True
        motion = np.concatenate(
            [p.position_rad - p.position_rad.mean(axis=0) for p in problem.pieces]
        )
        return bool(
            np.linalg.norm(residual_rad_of(problem, fit)) / np.sqrt(motion.shape[1])
            > _NOWHERE_NEAR * np.sqrt(np.mean(motion**2))
        )

    def _search(self, pieces: Sequence[Piece], noise: Weights, start: Array) -> Array:
        """Return a better start by CMA-ES, from the first seconds of the motion."""
        begin = float(pieces[0].time_s[0])
        few = self._pieces(self._recording, begin, begin + _SEARCH_S, most=_SEARCH_SAMPLES)
        problem = self._problem(few, noise)

        def costs(points: Sequence[Array]) -> list[float]:
            return [_cost(r) for r in problem.residuals_at(points, problem.starts())]

        def tell(generation: int, cost: float) -> None:
            self._tell(IdentifyProgress(stage="search", step=generation, cost=cost))

        size = self._parametrisation.step / STEP_SHARE
        return wide_search(
            costs,
            start,
            size,
            self._box,
            seed=self._options.seed,
            progress=tell,
            out_of_time=self._out_of_time,
        )

    def _sticking(self, problem: OutputError, fit: Fit, accepted: Array) -> frozenset[int]:
        """Return the frictions of which more changes far less than their derivatives promise.

        Where a joint sticks, all that is known is that its friction is enough. The fit ends at the
        least that is, where derivatives take the effect of less for that of both.
        """
        names = self._parametrisation.names
        places = [i for i, name in enumerate(names) if name.startswith("coulomb/")]
        points = []
        for i in places:
            points.append(fit.shared.copy())
            points[-1][i] += _MORE * accepted[i]
        here = problem.residuals(fit.shared, fit.own)
        if here is None or fit.ended == "interrupted":
            return frozenset()
        found = []
        for i, moved in zip(places, problem.residuals_at(points, fit.own), strict=True):
            promised = sum(float(b.shared[:, i] @ b.shared[:, i]) for b in fit.blocks)
            promised *= (_MORE * accepted[i]) ** 2
            if moved is not None and _change(here, moved) < _FLAT * promised:
                found.append(i)
        return frozenset(found)

    def _hopeless(self, fit: Fit) -> BaseException:
        if fit.ended == "interrupted":
            return KeyboardInterrupt()
        return IdentificationError(
            f"{self._recording.source}: the simulated arm diverges from the start on: the gains or "
            "the mode of the controller file, or the robot description, are not those of this arm"
        )

    def _fitted(
        self,
        problem: OutputError,
        fit: Fit,
        noise: Weights,
        history: tuple[float, ...],
    ) -> Fitted:
        parametrisation = self._parametrisation
        values = parametrisation.value_array(fit.shared)
        accepted = accepted_sigma(parametrisation.robot, parametrisation.names, values)
        chi2 = chi2_of(problem, fit, noise)
        return Fitted(
            params=parametrisation.params(fit.shared),
            values=values,
            accepted=accepted,
            box=self._box,
            problem=problem,
            fit=fit,
            confidence=confidence(
                fit.blocks,
                _stretches(problem, fit),
                parametrisation.values_jacobian(fit.shared),
                accepted,
                mismatch=chi2 > MISMATCH,
            ),
            noise=noise,
            chi2_per_sample=chi2,
            residual_rad=residual_rad_of(problem, fit),
            cost_history=history,
            closed=self.closed,
            sticking=self._sticking(problem, fit, accepted),
            reweighted=not np.array_equal(problem.weights.row(), noise.row()),
        )


def _stretches(problem: OutputError, fit: Fit) -> list[Stretch]:
    return [
        Stretch(
            time_s=piece.time_s,
            residual=problem.channels(block.residual, i),
            derivative=problem.channels(block.shared, i),
        )
        for i, (piece, block) in enumerate(zip(problem.pieces, fit.blocks, strict=True))
    ]


def _change(first: Sequence[Array], second: Sequence[Array]) -> float:
    return sum(float(((b - a) ** 2).sum()) for a, b in zip(first, second, strict=True))


def _cost(residuals: list[Array] | None) -> float:
    return np.inf if residuals is None else float(sum(float(r @ r) for r in residuals))
