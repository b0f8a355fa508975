"""Bundles of policies that choose among the nudges of their action."""

import numpy as np
import pytest

from bundle_samples import make_manifest, make_network, resign, write_sample
from sinew_core.bundle import NumpyPolicy, load_bundle
from sinew_core.bundle.manifest import WEIGHTS_FILE
from sinew_core.bundle.reader import check_golden
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import BundleError

NUDGES = ((0.0, 0.0), (0.1, 0.0), (-0.1, 0.0), (0.0, 1.0), (0.0, -1.0))


def choosing_network(choices=NUDGES):
    return make_network((9, 8, 5), output="argmax", choices=np.array(choices, np.float32))


def test_a_policy_that_chooses_is_read_back(tmp_path):
    folder = write_sample(tmp_path / "bundle", choosing_network(), make_manifest(nudges=NUDGES))
    bundle = load_bundle(folder)
    assert bundle.specification.action.nudges == NUDGES
    observation = np.random.default_rng(5).normal(size=9).astype(np.float32)
    expected = NumpyPolicy(choosing_network()).act(observation)
    assert np.array_equal(bundle.policy.act(observation), expected)
    assert expected in np.array(NUDGES, np.float32)


@pytest.mark.parametrize(
    ("network", "nudges"),
    [
        (choosing_network(), ()),
        (make_network(), NUDGES),
        (choosing_network(), (*NUDGES[:4], (0.0, -0.5))),
    ],
    ids=["undeclared", "not chosen among", "others"],
)
def test_what_a_policy_chooses_among_is_what_its_action_declares(tmp_path, network, nudges):
    with pytest.raises(BundleError, match=r"action\.nudges: expected"):
        write_sample(tmp_path / "bundle", network, make_manifest(nudges=nudges))


def test_a_table_is_part_of_the_weights(tmp_path):
    manifest = make_manifest(nudges=NUDGES)
    folder = write_sample(tmp_path / "bundle", choosing_network(), manifest)
    plain = write_sample(tmp_path / "plain", make_network((9, 8, 5, 2)))
    (folder / WEIGHTS_FILE).write_bytes((plain / WEIGHTS_FILE).read_bytes())
    resign(folder)
    with pytest.raises(BundleError, match=r"tensors: expected .*choices"):
        load_bundle(folder)


def tied(margin):
    """Two choices whose scores differ by a margin everywhere."""
    return NumpyPolicy(
        PolicyNetwork(
            layers=((np.zeros((3, 1)), np.array([1.0, 1.0 + margin, 0.0])),),
            hidden_activation="relu",
            output_activation="argmax",
            observation_mean=np.zeros(1),
            observation_std=np.ones(1),
            choices=np.array([[0.5], [-0.5], [0.0]]),
        )
    )


def test_golden_pairs_leave_near_ties_to_rounding():
    observation = np.zeros((1, 1), np.float32)
    for action in ([0.5], [-0.5]):
        check_golden(tied(1e-6), observation, np.array([action], np.float32))
    with pytest.raises(BundleError, match=r"action\[0\]\[0\]: expected 0.5"):
        check_golden(tied(1e-3), observation, np.array([[0.5]], np.float32))
    with pytest.raises(BundleError, match=r"action\[0\]\[0\]: expected 0.4"):
        check_golden(tied(1e-6), observation, np.array([[0.4]], np.float32))
