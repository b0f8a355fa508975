"""Coordinates of a link's inertia in which every value is a link that can exist.

C. Rucker, P. M. Wensing: Smooth parameterization of rigid-body inertia, RA-L 2022. The pseudo-
inertia J = [[S, h], [h', m]], with S = tr(I)/2 - I and the first moment h, is positive definite for
every body of positive density everywhere, and only then. With J = U U', U upper triangular:

    U = exp(a) [[exp(d1), s12, s13, t1], [0, exp(d2), s23, t2], [0, 0, exp(d3), t3], [0, 0, 0, 1]]

a, d, s, t are any ten numbers: m = exp(2 a), t is the centre in m, and the rest, lengths in m and
logarithms of such, spread the mass about it: with T the upper left block of U / exp(a), the inertia
about the centre is m (tr(T T') 1 - T T').

Rows of ten coordinates: a, d1, d2, d3, s12, s23, s13, t1, t2, t3. Rows of ten values: mass, centre
(3), inertia about the centre xx, xy, xz, yy, yz, zz.
"""

from __future__ import annotations

import numpy as np

from sinew_core.robots.arrays import Array

SIZE = 10
_UPPER = np.triu_indices(3)
_SPREAD = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))
"""Places in T of d1, d2, d3, s12, s23, s13."""


def inertia_of(coordinates: Array) -> Array:
    """Return the ten values of ten coordinates."""
    mass = np.exp(2.0 * coordinates[0])
    factor = _factor(coordinates)
    spread = mass * factor @ factor.T
    inertia = np.trace(spread) * np.eye(3) - spread
    return np.concatenate([[mass], coordinates[7:], inertia[_UPPER]])


def coordinates_of(values: Array) -> Array:
    """Return the ten coordinates of ten values of a link that can exist.

    Raises:
        numpy.linalg.LinAlgError: when it cannot.
    """
    mass, centre = values[0], values[1:4]
    inertia = values[4:][[0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(3, 3)
    spread = (0.5 * np.trace(inertia) * np.eye(3) - inertia) / mass
    factor = np.linalg.cholesky(spread[::-1, ::-1])[::-1, ::-1]
    entries = [factor[place] for place in _SPREAD]
    return np.concatenate([[0.5 * np.log(mass)], np.log(entries[:3]), entries[3:], centre])


def inertia_jacobian(coordinates: Array) -> Array:
    """Return the derivatives (10, 10) of the values by the coordinates."""
    mass = np.exp(2.0 * coordinates[0])
    factor = _factor(coordinates)
    jacobian = np.zeros((SIZE, SIZE))
    jacobian[0, 0] = 2.0 * mass
    jacobian[4:, 0] = 2.0 * inertia_of(coordinates)[4:]
    for column, place in enumerate(_SPREAD, start=1):
        change = np.zeros((3, 3))
        change[place] = factor[place] if column <= 3 else 1.0
        spread = mass * (change @ factor.T + factor @ change.T)
        jacobian[4:, column] = (np.trace(spread) * np.eye(3) - spread)[_UPPER]
    jacobian[1:4, 7:] = np.eye(3)
    return jacobian


def radius_of(coordinates: Array) -> float:
    """Return the root mean square distance (m) of the mass from its centre."""
    return float(np.linalg.norm(_factor(coordinates)))


def _factor(coordinates: Array) -> Array:
    factor = np.zeros((3, 3))
    for value, place in zip(coordinates[1:7], _SPREAD, strict=True):
        factor[place] = value
    factor[np.diag_indices(3)] = np.exp(coordinates[1:4])
    return factor
