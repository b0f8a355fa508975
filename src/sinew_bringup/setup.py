"""Build script of sinew_bringup."""

from pathlib import Path

from setuptools import find_packages, setup


def files(folder: str, pattern: str) -> list[str]:
    """Return what matches below this package; both folders are links to the top-level ones."""
    return [str(path) for path in sorted(Path(folder).glob(pattern))]


setup(
    name="sinew_bringup",
    version="0.1.0",
    description="Launch files, parameter files, and a launcher for machines without launch_ros.",
    license="Apache-2.0",
    packages=find_packages(include=["sinew_bringup", "sinew_bringup.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/sinew_bringup"]),
        ("share/sinew_bringup", ["package.xml"]),
        ("share/sinew_bringup/launch", files("launch", "*.launch.yaml")),
        ("share/sinew_bringup/config", files("config", "*.yaml")),
        *(
            (f"share/sinew_bringup/config/{folder}", files(f"config/{folder}", "*.yaml"))
            for folder in (
                "algorithms",
                "controllers",
                "emulated",
                "randomisation",
                "real",
                "sim_params",
                "sweeps",
            )
        ),
    ],
    zip_safe=False,
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "launcher = sinew_bringup.launcher:main",
        ],
    },
)
