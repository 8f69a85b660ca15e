# SPDX-License-Identifier: Apache-2.0
"""The build backend (PEP 517) of the Python package axl-train: a wheel with libaxl in it.

It runs the meson that is installed on the source tree that this file lies in, builds and installs
into a temporary folder, and leaves nothing in the tree.  Options for meson can be given:

    pip install ./bindings/python -C setup-args=-Dcurl=disabled
"""
import base64
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Where the files lie in the wheel, below a prefix that is none: the library goes into the package,
# which looks for it there, and its plugin to where the library looks for plugins.  Nothing is
# looked for in the prefix itself.
PREFIX = "/nonexistent"
LAYOUT = [f"--prefix={PREFIX}", "--libdir=axl", f"-Dpython.purelibdir={PREFIX}"]
OPTIONS = ["-Dpython=true", "-Dexamples=disabled", "-Dtests=false", "-Ddefault_library=shared",
           "-Dstrip=true"]
WANTED = re.compile(r"axl/(\w+\.py|py\.typed|libaxl\.so\.\d+|axl/axl-\w+\.so)$")
METADATA = """\
Metadata-Version: 2.1
Name: axl-train
Version: {version}
Summary: Fine-tuning of language models from one YAML file: libaxl with its ctypes binding
License: Apache-2.0
Requires-Python: >=3.9
Description-Content-Type: text/markdown

{readme}"""
WHEEL = """\
Wheel-Version: 1.0
Generator: axl_build
Root-Is-Purelib: false
Tag: {tag}
"""


class UnsupportedOperation(Exception):
    """What the frontend is told of an sdist."""


def forget_own_bytecode():
    """Removes what the import of this file left in the tree."""
    cached = importlib.util.cache_from_source(__file__)
    with contextlib.suppress(OSError):
        os.unlink(cached)
        os.rmdir(os.path.dirname(cached))


def need_tools():
    if not os.path.isfile(os.path.join(ROOT, "meson.build")):
        sys.exit(f"axl: {ROOT} is not axl's source tree; the package is built from bindings/python "
                 "of the whole tree (with pip 21.3 or newer)")
    missing = [] if shutil.which("meson") else ["meson"]
    if not any(map(shutil.which, ("ninja", "ninja-build", "samu"))):
        missing.append("ninja")
    if missing:
        sys.exit(f"axl: {' and '.join(missing)} not found; the library is built by meson and ninja"
                 " (Debian: meson, ninja-build; or pip install meson ninja)")


def meson(*arguments, **options):
    # pip hides the packages of the interpreter that runs it; meson may be one of them.
    hidden = ("PYTHONPATH", "PYTHONNOUSERSITE", "DESTDIR")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    result = subprocess.run(["meson", *arguments], env=environment, **options)
    if result.returncode != 0:
        sys.exit(f"axl: meson {arguments[0]} failed; what the library needs is named in README.md")
    return result.stdout


def version():
    about = meson("introspect", "--projectinfo", os.path.join(ROOT, "meson.build"),
                  stdout=subprocess.PIPE)
    return json.loads(about)["version"]


def install_library(folder, settings):
    """Builds axl and installs what the wheel holds; the wheel's root as a folder."""
    chosen = (settings or {}).get("setup-args", [])
    chosen = [chosen] if isinstance(chosen, str) else chosen
    build, destination = os.path.join(folder, "build"), os.path.join(folder, "root")
    meson("setup", build, ROOT, *LAYOUT, *OPTIONS, *chosen, stdout=sys.stderr)
    meson("install", "-C", build, "--destdir", destination, "--tags", "runtime,python-runtime",
          stdout=sys.stderr)
    return destination + PREFIX


def package_files(root):
    """{path in the wheel: bytes} of the installed package."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            inside = os.path.relpath(path, root)
            if WANTED.match(inside):
                with open(path, "rb") as f:
                    found[inside] = f.read()
    return found


def information(tag):
    """{name: bytes} of the folder .dist-info, without RECORD; and that folder's name."""
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as f:
        readme = f.read()
    with open(os.path.join(ROOT, "LICENSE"), "rb") as f:
        licence = f.read()
    number = version()
    return f"axl_train-{number}.dist-info", {
        "LICENSE": licence,
        "METADATA": METADATA.format(version=number, readme=readme).encode(),
        "WHEEL": WHEEL.format(tag=tag).encode(),
    }


def wheel_tag():
    """Any Python 3, on this machine and its like: the library is linked with the system's own."""
    return "py3-none-" + re.sub(r"\W", "_", sysconfig.get_platform())


def record(files, name):
    lines = []
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    return "".join(lines + [f"{name},,\n"]).encode()


def write_wheel(path, files):
    """The same bytes for the same files, whenever they were made."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if ".so" in name else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)


# ---- what frontends call ----

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    need_tools()
    folder, files = information(wheel_tag())
    os.makedirs(os.path.join(metadata_directory, folder), exist_ok=True)
    for name, data in files.items():
        with open(os.path.join(metadata_directory, folder, name), "wb") as f:
            f.write(data)
    return folder


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    need_tools()
    tag = wheel_tag()
    with tempfile.TemporaryDirectory(prefix="axl-wheel-") as temporary:
        files = dict(sorted(package_files(install_library(temporary, config_settings)).items()))
    folder, about = information(tag)
    files.update((f"{folder}/{name}", data) for name, data in about.items())
    files[f"{folder}/RECORD"] = record(files, f"{folder}/RECORD")
    name = f"{folder[:-len('.dist-info')]}-{tag}.whl"
    write_wheel(os.path.join(wheel_directory, name), files)
    return name


def build_sdist(sdist_directory, config_settings=None):
    raise UnsupportedOperation(
        "axl makes no sdist: the package is built from the whole source tree; make a wheel")


forget_own_bytecode()
