"""The closest effort under bounds on efforts and accelerations, and the best one to brake with.

Plain functions over floats and flat rows, as in `equations`: one source for node and training.

With W = M^-1 and the effort `offset` that accelerates nothing, a = W (x - offset). Each bound is a
half space with the outward unit normal n: a row of W over its length, or one effort itself.

*Closest*: D. Goldfarb, A. Idnani, "A numerically stable dual method for solving strictly convex
quadratic programs", Mathematical Programming 27 (1983), for the identity as matrix: from the
desired effort, take up the most violated bound, keep those that carry a positive multiplier, until
none is violated or a violated one cannot be reached. It is exact and needs about one step per
bound that holds in the end. Departure: the factors are Gram-Schmidt's, twice over, and made anew
when a bound is dropped; for seven joints that costs less than it would to update them.

*Braking*, and where bounds contradict: of all efforts inside the bounds on efforts the one that
comes closest to wanted accelerations in Gauss's principle of least constraint,
min (a - a_w)^T M (a - a_w), by sweeps over the joints.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

Row = Sequence[float]
Buffer = MutableSequence[float]
Rows = Sequence[MutableSequence[float]]

# Rows of `vectors` (n wide).
(
    OFFSET,
    GRAVITY,
    ACCELERATION,
    WANTED,
    LO,
    HI,
    EFFORT_LO,
    EFFORT_HI,
    LENGTHS,
    NORMAL,
    SHARES,
    REST,
    RATIOS,
    MULTIPLIERS,
    ACTIVE,
    SIGNS,
    START,
    ZEROS,
    MIDDLE,
    MIDDLE_SPEED,
    N_VECTORS,
) = range(21)
# Rows of `matrices` (at least 10 n and n n wide).
(
    ROTATIONS,
    WRENCHES,
    COMPOSITES,
    INERTIA,
    FACTOR,
    INVERSE,
    NORMALS,
    BASIS,
    TRIANGLE,
    N_MATRICES,
) = range(10)

TOLERANCE_NM = 1e-9
"""Distance to a bound that counts as inside it."""
PARALLEL = 1e-12
"""Square of a normal's part outside the active ones, below which it depends on them."""
LEAST_INERTIA = 1e-9
"""kg m²: a pivot of the inertia matrix is at least this."""
STEPS_PER_BOUND = 4
SWEEPS = 60


def invert_inertia(n: int, matrices: Rows) -> None:
    """Write W, the inverse of the inertia matrix, by Cholesky's factor."""
    matrix, factor, inverse = matrices[INERTIA], matrices[FACTOR], matrices[INVERSE]
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i * n + j]
            for k in range(j):
                rest -= factor[i * n + k] * factor[j * n + k]
            if i > j:
                factor[i * n + j] = rest * factor[j * n + j]
            else:
                factor[i * n + i] = 1.0 / math.sqrt(rest if rest > LEAST_INERTIA else LEAST_INERTIA)
    # The factor's own inverse, in place; its diagonal holds reciprocals already.
    for j in range(n):
        for i in range(j + 1, n):
            rest = 0.0
            for k in range(j, i):
                rest -= factor[i * n + k] * factor[k * n + j]
            factor[i * n + j] = rest * factor[i * n + i]
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            for k in range(i, n):
                total += factor[k * n + i] * factor[k * n + j]
            inverse[i * n + j] = inverse[j * n + i] = total


def accelerate(inverse: Row, offset: Row, effort: Row, out: Buffer) -> None:
    """Write the accelerations (n,) rad/s² of an effort (n,) N m."""
    n = len(effort)
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += inverse[i * n + j] * (effort[j] - offset[j])
        out[i] = total


def write_lengths(vectors: Rows, inverse: Row) -> None:
    """Write the length of each row of W: acceleration per N m along its normal."""
    lengths = vectors[LENGTHS]
    n = len(lengths)
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += inverse[i * n + j] * inverse[i * n + j]
        lengths[i] = math.sqrt(total)


def most_violated(vectors: Rows, effort: Row) -> tuple[int, float, float]:
    """Return the most violated bound, its sign, and by how much in N m along its normal.

    Bounds 0 … n-1 are those of the accelerations, n … 2n-1 those of the efforts.
    """
    acceleration, lo, hi = vectors[ACCELERATION], vectors[LO], vectors[HI]
    effort_lo, effort_hi, lengths = vectors[EFFORT_LO], vectors[EFFORT_HI], vectors[LENGTHS]
    n = len(effort)
    bound, sign, most = 0, 1.0, 0.0
    for j in range(n):
        over = (acceleration[j] - hi[j]) / lengths[j]
        if over > most:
            bound, sign, most = j, 1.0, over
        over = (lo[j] - acceleration[j]) / lengths[j]
        if over > most:
            bound, sign, most = j, -1.0, over
        over = effort[j] - effort_hi[j]
        if over > most:
            bound, sign, most = n + j, 1.0, over
        over = effort_lo[j] - effort[j]
        if over > most:
            bound, sign, most = n + j, -1.0, over
    return bound, sign, most


def write_normal(vectors: Rows, inverse: Row, bound: int, sign: float) -> None:
    """Write the outward unit normal of a bound."""
    normal = vectors[NORMAL]
    n = len(normal)
    for j in range(n):
        if bound < n:
            normal[j] = sign * inverse[bound * n + j] / vectors[LENGTHS][bound]
        else:
            normal[j] = sign if j == bound - n else 0.0


def split_normal(vectors: Rows, matrices: Rows, count: int) -> float:
    """Split the normal into shares of `count` basis vectors and a rest; return the rest's square.

    Also writes by how much the multiplier of each active bound falls as the new one's rises.
    """
    shares, rest, basis = vectors[SHARES], vectors[REST], matrices[BASIS]
    n = len(rest)
    for j in range(n):
        rest[j] = vectors[NORMAL][j]
        shares[j] = 0.0
    for _ in range(2):
        for k in range(count):
            share = 0.0
            for j in range(n):
                share += basis[k * n + j] * rest[j]
            shares[k] += share
            for j in range(n):
                rest[j] -= share * basis[k * n + j]
    ratios, triangle = vectors[RATIOS], matrices[TRIANGLE]
    for k in range(count - 1, -1, -1):
        total = shares[k]
        for i in range(k + 1, count):
            total -= triangle[k * n + i] * ratios[i]
        ratios[k] = total / triangle[k * n + k]
    square = 0.0
    for j in range(n):
        square += rest[j] * rest[j]
    return square


def take_up(vectors: Rows, matrices: Rows, count: int, square: float) -> None:
    """Append the normal, split before, to the active ones."""
    n = len(vectors[NORMAL])
    length = math.sqrt(square)
    for j in range(n):
        matrices[NORMALS][count * n + j] = vectors[NORMAL][j]
        matrices[BASIS][count * n + j] = vectors[REST][j] / length
    for k in range(count):
        matrices[TRIANGLE][k * n + count] = vectors[SHARES][k]
    matrices[TRIANGLE][count * n + count] = length


def drop(vectors: Rows, matrices: Rows, count: int, place: int) -> None:
    """Remove the active bound at `place` of `count`, and factor the others anew."""
    normals, normal = matrices[NORMALS], vectors[NORMAL]
    n = len(normal)
    for k in range(place, count - 1):
        vectors[ACTIVE][k] = vectors[ACTIVE][k + 1]
        vectors[SIGNS][k] = vectors[SIGNS][k + 1]
        vectors[MULTIPLIERS][k] = vectors[MULTIPLIERS][k + 1]
        for j in range(n):
            normals[k * n + j] = normals[(k + 1) * n + j]
    for k in range(place, count - 1):
        for j in range(n):
            normal[j] = normals[k * n + j]
        take_up(vectors, matrices, k, split_normal(vectors, matrices, k))


def first_to_drop(vectors: Rows, count: int) -> tuple[int, float]:
    """Return the active bound whose multiplier reaches zero first, and after which step.

    Without any: place -1.
    """
    place, step = -1, 0.0
    for k in range(count):
        ratio = vectors[RATIOS][k]
        if ratio > PARALLEL:
            until = vectors[MULTIPLIERS][k] / ratio
            if place < 0 or until < step:
                place, step = k, until
    return place, step


def move(vectors: Rows, effort: Buffer, count: int, step: float, square: float) -> None:
    """Move against the normal's rest, and shift multipliers from the active bounds."""
    if square > PARALLEL:
        for j in range(len(effort)):
            effort[j] -= step * vectors[REST][j]
    for k in range(count):
        vectors[MULTIPLIERS][k] -= step * vectors[RATIOS][k]


def write_closest(vectors: Rows, matrices: Rows, effort: Buffer) -> int:
    """Move an effort (n,) N m to the closest one inside all bounds.

    Returns:
        How many bounds hold it, listed in ACTIVE, SIGNS and MULTIPLIERS; -1 where the bounds
        contradict each other, with `effort` left anywhere.
    """
    n = len(effort)
    inverse = matrices[INVERSE]
    write_lengths(vectors, inverse)
    count = 0
    multiplier = 0.0
    for _ in range(2 * n * STEPS_PER_BOUND):
        accelerate(inverse, vectors[OFFSET], effort, vectors[ACCELERATION])
        bound, sign, over = most_violated(vectors, effort)
        if not over > TOLERANCE_NM:
            return count
        multiplier = 0.0
        while True:
            write_normal(vectors, inverse, bound, sign)
            square = split_normal(vectors, matrices, count)
            place, step = first_to_drop(vectors, count)
            whole = over / square if square > PARALLEL and count < n else -1.0
            if place < 0 and whole < 0.0:
                return -1
            if place < 0 or 0.0 <= whole <= step:
                move(vectors, effort, count, whole, square)
                take_up(vectors, matrices, count, square)
                vectors[ACTIVE][count], vectors[SIGNS][count] = float(bound), sign
                vectors[MULTIPLIERS][count] = multiplier + whole
                count += 1
                break
            move(vectors, effort, count, step, square)
            multiplier += step
            over -= step * square
            drop(vectors, matrices, count, place)
            count -= 1
    return -1


def write_braking(vectors: Rows, matrices: Rows, effort: Buffer) -> None:
    """Write the effort (n,) N m inside the effort bounds that comes closest to WANTED."""
    n = len(effort)
    inertia, inverse = matrices[INERTIA], matrices[INVERSE]
    lo, hi, wanted = vectors[EFFORT_LO], vectors[EFFORT_HI], vectors[WANTED]
    inside = True
    for i in range(n):
        total = vectors[OFFSET][i]
        for j in range(n):
            total += inertia[i * n + j] * wanted[j]
        effort[i] = hi[i] if total > hi[i] else lo[i] if total < lo[i] else total
        inside = inside and effort[i] == total
    if inside:
        return
    error = vectors[ACCELERATION]
    accelerate(inverse, vectors[OFFSET], effort, error)
    for i in range(n):
        error[i] -= wanted[i]
    for _ in range(SWEEPS):
        largest = 0.0
        for i in range(n):
            before = effort[i]
            total = before - error[i] / inverse[i * n + i]
            effort[i] = hi[i] if total > hi[i] else lo[i] if total < lo[i] else total
            change = effort[i] - before
            for j in range(n):
                error[j] += inverse[j * n + i] * change
            if abs(change) > largest:
                largest = abs(change)
        if not largest > TOLERANCE_NM:
            return
