"""Build script of sinew_core."""

from setuptools import find_packages, setup

setup(
    name="sinew_core",
    version="0.1.0",
    description="Robots, safety filter, simulation, tasks, learning, policy bundles: no ROS.",
    license="Apache-2.0",
    packages=find_packages(include=["sinew_core", "sinew_core.*"]),
    package_data={"sinew_core.robots": ["config/*", "sim_params_config/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/sinew_core"]),
        ("share/sinew_core", ["package.xml"]),
    ],
    zip_safe=False,
    extras_require={"test": ["pytest"]},
)
