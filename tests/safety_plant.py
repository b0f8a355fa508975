"""Simulated drives at the edge of what the filter assumes, for many arms at once."""

from __future__ import annotations

import numpy as np

from sinew_core.safety.parameters import SafetyParameters


class Plant:
    """Joints (N, n) that follow commands with any error that the parameters allow.

    A new command is reached by a ramp over the first part 2 * kappa of the period, kappa drawn per
    joint up to the declared interpolation; gain, jitter and drift sit at an end of their range.
    """

    def __init__(self, position, parameters: SafetyParameters, period_s, rng):
        self.p = parameters
        self.period_s = period_s
        self.rng = rng
        self.x = position.copy()
        self.v = np.zeros_like(position)
        choice = rng.integers(0, 3, position.shape)
        self.ramp = np.where(choice == 0, 0.0, np.where(choice == 1, 1.0, rng.random(choice.shape)))
        self.ramp *= 2.0 * parameters.interpolation
        self.sign = np.where(rng.random(position.shape) < 0.5, -1.0, 1.0)
        self.last = None
        self.past = []  # (start, v before, v, scale, drift), the latest last

    def _inside(self, part, start, before, v, scale, drift):
        """Position after a part (0 to 1) of a period."""
        ramp = np.maximum(self.ramp, 1e-300)
        early = before * part + (v - before) * np.square(np.minimum(part, ramp)) / (2.0 * ramp)
        late = v * part + (before - v) * self.ramp / 2.0
        moved = np.where(part < self.ramp, early, late)
        return start + self.period_s * (scale * moved + drift * part)

    def move(self, command):
        """Run one period; return the least and the greatest position in it."""
        p, rng, shape = self.p, self.rng, command.shape
        flip = rng.random(shape) < 0.1
        self.sign = np.where(flip, -self.sign, self.sign)
        kind = rng.integers(0, 4, shape)
        end = np.where(kind == 0, 0.0, np.where(kind == 1, -self.sign, self.sign))
        scale = (1.0 + end * p.jitter) * (1.0 + end * p.gain_error)
        moving = (command != 0.0) | (self.v != 0.0)
        drift = np.where(moving, self.sign * p.drift_rad_s * (1.0 + end * p.jitter), 0.0)
        period = (self.x, self.v, command.copy(), scale, drift)
        turn = np.divide(
            self.v * self.ramp, self.v - command, out=np.zeros(shape), where=self.v * command < 0
        )
        self.last = period
        points = [self._inside(part, *period) for part in (turn, 0.5, 1.0)]
        self.past = [*self.past[-p.max_latency_periods :], period] if p.max_latency_periods else []
        self.x, self.v = points[-1], period[2]
        return np.minimum.reduce(points), np.maximum.reduce(points)

    def within(self, part):
        """Return the positions after a part (0 to 1) of the last period."""
        return self._inside(part, *self.last)

    def measure(self):
        """Positions of an age up to the declared latency, with noise, mostly at its ends."""
        p, rng = self.p, self.rng
        seen = self.x.copy()
        kind = rng.integers(0, 3, seen.shape)
        age = np.where(kind == 0, 0.0, np.where(kind == 1, 1.0, rng.random(seen.shape)))
        age *= min(p.max_latency_periods, len(self.past))
        for back, period in enumerate(reversed(self.past)):
            part = np.clip(back + 1.0 - age, 0.0, 1.0)
            seen = np.where(age > back, self._inside(part, *period), seen)
        end = np.where(rng.random(seen.shape) < 0.8, self.sign, rng.uniform(-1, 1, seen.shape))
        return seen + p.noise_rad * end


class Wishes:
    """Desired velocities (N, n) that seek trouble: long pushes, sudden turns, noise, zeros."""

    def __init__(self, shape, speed, rng):
        self.speed, self.rng = speed, rng
        self.push = rng.choice([-3.0, 3.0], shape)

    def next(self):
        rng, shape = self.rng, self.push.shape
        self.push = np.where(rng.random(shape) < 0.02, -self.push, self.push)
        kind = rng.integers(0, 10, shape)
        wish = np.where(kind < 6, self.push, rng.uniform(-1.5, 1.5, shape))
        return np.where(kind == 9, 0.0, wish) * self.speed
