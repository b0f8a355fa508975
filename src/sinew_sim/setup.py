"""Build script of sinew_sim."""

from setuptools import find_packages, setup

setup(
    name="sinew_sim",
    version="0.1.0",
    description="Simulated manipulator that speaks the topics of ros2_control.",
    license="Apache-2.0",
    packages=find_packages(include=["sinew_sim", "sinew_sim.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/sinew_sim"]),
        ("share/sinew_sim", ["package.xml"]),
    ],
    zip_safe=False,
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "sim_driver = sinew_sim.sim_driver:main",
        ],
    },
)
