"""Makes crates/gpu/ptx/kernels.ptx.gz of crates/gpu/kernels with the pinned NVRTC from pip.

    python3 -m venv /tmp/nvrtc && /tmp/nvrtc/bin/pip install -r tools/gpu/requirements.txt
    /tmp/nvrtc/bin/python tools/gpu/ptx.py            # writes the PTX and prints registers and spills
    /tmp/nvrtc/bin/python tools/gpu/ptx.py --check    # exits with 1 if the PTX in the tree is another, or ptxas spills

No GPU, no driver and no other part of the toolkit is needed. The same source gives the same bytes.
"""

import ctypes
import gzip
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2] / "crates/gpu"
KERNELS = ROOT / "kernels"
PTX = ROOT / "ptx/kernels.ptx.gz"
# As in crates/gpu/src/ptx.rs.
FILES = ["cuda.h", "numbers.h", "attention.h", "rows.h", "speech.h", "probe.h", "attentive.h", "kernels.cu"]
CARDS = ["sm_80", "sm_90", "sm_120"]


def package(folder):
    import nvidia

    return pathlib.Path(list(nvidia.__path__)[0]) / folder


def compile_ptx():
    libraries = package("cuda_nvrtc/lib")
    # By its full path alone NVRTC does not find its own second half.
    ctypes.CDLL(str(libraries / "libnvrtc-builtins.so.12.1"), mode=ctypes.RTLD_GLOBAL)
    nvrtc = ctypes.CDLL(str(libraries / "libnvrtc.so.12"))
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    assert (major.value, minor.value) == (12, 1), "NVRTC of CUDA 12.1 is pinned: its PTX runs on every driver since"
    program = ctypes.c_void_p()
    source = (KERNELS / "kernels.cu").read_bytes()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"kernels.cu", 0, None, None) == 0
    options = [b"--gpu-architecture=compute_80", b"--std=c++17", b"--include-path=" + str(KERNELS).encode()]
    result = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))

    def text(what):
        size = ctypes.c_size_t()
        getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(nvrtc, f"nvrtcGet{what}")(program, buffer)
        return buffer.value

    if result != 0:
        sys.exit(text("ProgramLog").decode())
    digest = hashlib.sha256(b"".join((KERNELS / name).read_bytes() for name in FILES)).hexdigest()
    return f"// emobox kernels {digest}, NVRTC {major.value}.{minor.value}\n".encode() + text("PTX")


def assemble(ptx):
    """(kernel, card) to registers and bytes spilled, by ptxas."""
    ptxas = os.environ.get("PTXAS", str(package("cuda_nvcc/bin/ptxas")))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "kernels.ptx"
        path.write_bytes(ptx)
        for card in CARDS:
            command = [ptxas, f"-arch={card}", "-v", str(path), "-o", str(pathlib.Path(folder) / "out")]
            log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
            kernel = None
            for line in log.splitlines():
                if match := re.search(r"entry function '(\w+)'", line):
                    kernel, spilled = match[1], 0
                elif match := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
                    spilled = int(match[1]) + int(match[2])
                elif match := re.search(r"Used (\d+) registers", line):
                    found[kernel, card] = (int(match[1]), spilled)
    return found


def main():
    ptx = compile_ptx()
    packed = gzip.compress(ptx, 9, mtime=0)
    check = "--check" in sys.argv[1:]
    if check:
        in_tree = gzip.decompress(PTX.read_bytes())
        if in_tree != ptx:
            sys.exit("the PTX in the tree is not what the pinned NVRTC makes of the source: run tools/gpu/ptx.py")
    else:
        PTX.parent.mkdir(exist_ok=True)
        PTX.write_bytes(packed)
    found = assemble(ptx)
    kernels = sorted({kernel for kernel, _ in found})
    print(f"| kernel | registers on {', '.join(CARDS)} |\n|---|---|")
    for kernel in kernels:
        print(f"| {kernel} | {', '.join(str(found[kernel, card][0]) for card in CARDS)} |")
    spills = [f"{kernel} on {card}" for (kernel, card), (_, spilled) in sorted(found.items()) if spilled]
    if spills:
        sys.exit("registers are spilled to memory by " + ", ".join(spills))
    print(f"\n{len(kernels)} kernels, {len(ptx)} bytes of PTX, {len(packed)} compressed, no spills")


main()
