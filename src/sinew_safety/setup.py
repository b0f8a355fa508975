"""Build script of sinew_safety."""

from setuptools import find_packages, setup

setup(
    name="sinew_safety",
    version="0.1.0",
    description="Safety filter node: limits, watchdogs, stop and diagnostics; replay of bags.",
    license="Apache-2.0",
    packages=find_packages(include=["sinew_safety", "sinew_safety.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/sinew_safety"]),
        ("share/sinew_safety", ["package.xml"]),
    ],
    zip_safe=False,
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "replay = sinew_safety.replay:main",
            "safety_filter = sinew_safety.safety_filter:main",
        ],
    },
)
