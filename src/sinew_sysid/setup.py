"""Build script of sinew_sysid."""

from setuptools import find_packages, setup

setup(
    name="sinew_sysid",
    version="0.1.0",
    description="Excitation, bag recording, system identification and sim-to-real gap nodes.",
    license="Apache-2.0",
    packages=find_packages(include=["sinew_sysid", "sinew_sysid.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/sinew_sysid"]),
        ("share/sinew_sysid", ["package.xml"]),
    ],
    zip_safe=False,
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "excite = sinew_sysid.excite:main",
            "gap = sinew_sysid.gap:main",
            "gap_monitor = sinew_sysid.gap_monitor:main",
            "record = sinew_sysid.record:main",
            "system_id = sinew_sysid.system_id:main",
        ],
    },
)
