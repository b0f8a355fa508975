"""Build script of sinew_ros."""

from setuptools import find_packages, setup

setup(
    name="sinew_ros",
    version="0.1.0",
    description="What all nodes share: parameters, messages, QoS profiles and the main loop.",
    license="Apache-2.0",
    packages=find_packages(include=["sinew_ros", "sinew_ros.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/sinew_ros"]),
        ("share/sinew_ros", ["package.xml"]),
    ],
    zip_safe=False,
    extras_require={"test": ["pytest"]},
)
