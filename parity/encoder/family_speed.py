"""Seconds on one thread of the encoders beside their references, round by round, at full size with made weights.

    cargo build --release -p emobox-encoder --example states
    UNILM=<checkout> /opt/parity/bin/python parity/encoder/family_speed.py [NAME...]

Each round runs the reference and then ours on the same 10 s of noise, so that whatever else the machine does meets both. The front end is in
ours always, in the reference's where its script has it in `states_of`. Prints a row of docs/speed.md a model: the median of each, and
the median of the rounds' ratios.
"""

import common  # first: it lets transformers load

import importlib
import os
import statistics
import sys
import tempfile
import time

import torch

import full_size

ROUNDS = 5
SECONDS = 10
FILES = {"dasheng_encoder": "dasheng.pt", "beats": "BEATs.pt"}

if __name__ == "__main__":
    torch.set_num_threads(1)
    full_size.ATTENTION = None
    for name in sys.argv[1:] or [name for name in full_size.MODELS if full_size.MODELS[name][0] != "fairseq"]:
        script, *settings = full_size.MODELS[name]
        module = importlib.import_module(script) if isinstance(script, str) else full_size
        if script == "towers":
            settings = [{**settings[0], "attention": None}]
        rounds = []
        with tempfile.TemporaryDirectory() as folder:
            rate = getattr(module, "RATE", 16_000)
            wave = common.waveform("speed", SECONDS * rate)
            samples = f"{folder}/samples.f32"
            wave.tofile(samples)
            path = f"{folder}/{FILES.get(script, '')}"

            def paired(*given, reference=module.states_of):
                states = reference(*given)
                for _ in range(ROUNDS):
                    start = time.perf_counter()
                    reference(*given)
                    theirs = time.perf_counter() - start
                    report, _ = full_size.ours(path, samples, f"{folder}/states.f32")
                    rounds.append((theirs, report["encode_seconds"]))
                return states

            reference, module.states_of = module.states_of, paired
            if module is full_size:
                full_size.transformers_reference(folder, wave, script, *settings)
            else:
                module.full_size(folder, wave, *settings)
            module.states_of = reference
        theirs, ours = (statistics.median(column) for column in zip(*rounds))
        ratio = statistics.median(theirs / ours for theirs, ours in rounds)
        print(f"| `{name}` | {theirs:.2f} | {ours:.2f} | {ratio:.2f} | load {os.getloadavg()[0]:.1f}", flush=True)
