"""The four nodes of a deployed system with a made-up policy, and where their figures go."""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from bundle_samples import make_manifest, make_network, write_sample
from nodes.patience import PATIENT
from sinew_core.action import make_action_spec
from sinew_core.bundle.reader import load_bundle
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot

PANDA = load_robot("panda")
EVALUATOR = "sinew_trainer.evaluator"


def write_bundle(folder, task, mode="joint_velocity"):
    network = make_network((24, 8, 7))
    layers = tuple((0.2 * weight, 0.2 * bias) for weight, bias in network.layers)
    manifest = make_manifest(PANDA.joint_names, PANDA.limits, "panda")
    action = make_action_spec(mode, PANDA, Rates())
    manifest = dataclasses.replace(
        manifest, action=action.to_mapping(), task={"name": "reach", **task}
    )
    return write_sample(folder, dataclasses.replace(network, layers=layers), manifest)


class Graph:
    """Starts the four nodes, and knows where the figures go."""

    def __init__(self, start_node, bundle, tmp_path, *, pace="lockstep", engine="mujoco", **driver):
        self.start_node, self.bundle, self.tmp_path = start_node, bundle, tmp_path
        common = {"mode": load_bundle(bundle).specification.action.command_mode, "pace": pace}
        patient = PATIENT if pace == "realtime" else {}
        self.partners = [
            start_node("sinew_sim.sim_driver", {**common, "engine": engine, "seed": 3, **driver}),
            start_node("sinew_safety.safety_filter", {**patient, **common}),
            start_node("sinew_policy.policy", {**common, "bundle": bundle}),
        ]
        self.pace = pace

    def evaluate(self, name="graph", episodes=2, **parameters):
        """Return the process of an evaluator, which has just begun."""
        self.output = self.tmp_path / name / "figures.json"
        common = {"bundle": self.bundle, "pace": self.pace, "seed": 5, "output": self.output}
        return self.start_node(EVALUATOR, {**common, "episodes": episodes, **parameters})

    def end(self):
        for node in self.partners:
            assert node.interrupt() == 0

    def figures(self):
        return json.loads(self.output.read_text())

    def traces(self):
        with np.load(self.output.with_suffix(".npz")) as file:
            return {name: file[name] for name in file.files}
