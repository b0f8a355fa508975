"""Publishers of the same name are told apart by the numbers of their messages."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from sinew_core.safety.senders import Senders


def test_without_numbers_the_name_is_all_there_is():
    senders = Senders()
    assert [senders.identify("policy", None) for _ in range(2)] == ["policy", "policy"]


def test_names_are_apart_anyway():
    senders = Senders()
    assert senders.identify("a", 7) == "a"
    assert senders.identify("b", 7) == "b"


@pytest.mark.parametrize("seed", range(50))
def test_lost_messages_make_no_second_publisher(seed):
    rng = random.Random(seed)
    senders = Senders()
    number = rng.randint(1, 1000)
    for _ in range(100):
        assert senders.identify("policy", number) == "policy"
        number += rng.randint(1, 50)


@pytest.mark.parametrize("seed", range(200))
def test_two_publishers_of_one_name_are_seen_as_two(seed):
    rng = random.Random(seed)
    senders = Senders()
    numbers = [rng.randint(1, 500), rng.randint(1, 500)]
    seen = []
    for turn in [0, 1, 0, 1, *(rng.randrange(2) for _ in range(50))]:
        seen.append(senders.identify("policy", numbers[turn]))
        numbers[turn] += 1
    # Each has sent twice by then, and one of them went back behind the other.
    assert len(set(seen[:4])) == 2
    assert set(seen) == {"policy", "policy, publisher 2"}


def test_a_publisher_that_is_started_again_stays_itself_beyond_the_old_numbers():
    senders = Senders()
    for number in range(1, 100):
        senders.identify("policy", number)
    names = {senders.identify("policy", number) for number in range(1, 300)}
    assert names == {"policy, publisher 2"}


def test_memory_is_bounded_whatever_is_sent():
    rng = random.Random(0)
    senders = Senders()
    names = {senders.identify(f"n{rng.randrange(100)}", rng.randrange(1000)) for _ in range(20_000)}
    assert max(int(name.partition("publisher ")[2] or 1) for name in names) <= 8


def test_names_that_never_come_again_are_not_kept():
    senders = Senders()
    tracemalloc.start()
    for k in range(100_000):
        senders.identify(f"policy of run {k}", k)
        if k == 1_000:
            before, _ = tracemalloc.get_traced_memory()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 10_000
