"""Build script of sinew_trainer."""

from setuptools import find_packages, setup

setup(
    name="sinew_trainer",
    version="0.1.0",
    description="Trainer and evaluator nodes, and the job that runs both.",
    license="Apache-2.0",
    packages=find_packages(include=["sinew_trainer", "sinew_trainer.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/sinew_trainer"]),
        ("share/sinew_trainer", ["package.xml"]),
    ],
    zip_safe=False,
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "bag_evaluator = sinew_trainer.bag_evaluator:main",
            "trainer = sinew_trainer.trainer:main",
            "graph_trainer = sinew_trainer.graph_trainer:main",
            "evaluator = sinew_trainer.evaluator:main",
        ],
    },
)
