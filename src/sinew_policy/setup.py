"""Build script of sinew_policy."""

from setuptools import find_packages, setup

setup(
    name="sinew_policy",
    version="0.1.0",
    description="Policy node: a policy bundle to commands at the control rate.",
    license="Apache-2.0",
    packages=find_packages(include=["sinew_policy", "sinew_policy.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/sinew_policy"]),
        ("share/sinew_policy", ["package.xml"]),
    ],
    zip_safe=False,
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "policy = sinew_policy.policy:main",
            "deployment = sinew_policy.deployment:main",
        ],
    },
)
