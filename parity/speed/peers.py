"""Encoder speed beside PyTorch, ONNX Runtime and OpenVINO: same weights, same audio, both f32, interleaved.

    cargo build --release
    python parity/speed/peers.py FOLDER MODEL SECONDS [ROUNDS] [--bf16]

MODEL is one of MODELS below, with made weights (seed 0) that FOLDER keeps. In every round each engine runs in
turn, on all cores: the peers one utterance at a time (what the published recipe does), emobox one utterance a core
(`emobox encoders bench --json`, a new process that warms up and takes the median of three), counted per utterance.
Prints one line of JSON: the medians of the rounds in seconds an utterance. With --bf16 also PyTorch under autocast and emobox --precision bf16; meant for CPUs that have bf16
products, elsewhere emobox says that it emulates them.

requirements.txt has the versions; docs/speed.md has the numbers.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

import numpy as np
import torch

# torchaudio refuses to load beside a PyTorch built for another CUDA; nothing here runs on one.
torch.version.cuda = None
from transformers import Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel, WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

ROOT = pathlib.Path(__file__).parents[2]
LARGE = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
STABLE = dict(**LARGE, feat_extract_norm="layer", do_stable_layer_norm=True)
BASE = dict(d_model=512, encoder_layers=6, encoder_attention_heads=8, encoder_ffn_dim=2048, num_mel_bins=80)
LARGE_V3 = dict(d_model=1280, encoder_layers=32, encoder_attention_heads=20, encoder_ffn_dim=5120, num_mel_bins=128)
MODELS = {
    "wav2vec2-base": (Wav2Vec2Config, Wav2Vec2Model, {}),
    "wavlm-large": (WavLMConfig, WavLMModel, STABLE),
    "whisper-base": (WhisperConfig, WhisperEncoder, BASE),
    "whisper-large-v3": (WhisperConfig, WhisperEncoder, LARGE_V3),
}


class LastHiddenState(torch.nn.Module):
    """The model with a tensor as its only output, for the exporters."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x).last_hidden_state


def onnx_runtime(module, x, folder):
    import onnxruntime

    path = folder / f"model-{x.shape[-1]}.onnx"
    if not path.exists():
        torch.onnx.export(module, (x,), str(path), dynamo=False, input_names=["x"], opset_version=17)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    # A peer that spins while another engine is timed would slow that one down.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x.numpy()})[0]


def openvino(module, x, _):
    import openvino as ov

    model = ov.convert_model(module, example_input=x, input=[list(x.shape)])
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": os.cpu_count(), "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(model, "CPU", settings)
    return lambda: compiled(x.numpy())[0]


def emobox(folder, name, seconds, precision):
    call = [ROOT / "target/release/emobox", "encoders", "bench", f"{name}={folder}", "--seconds", str(seconds)]
    call += ["--rounds", "3", "--precision", precision, "--json", "--quiet", "--home", ROOT / "target/peers-home"]

    def run():
        report = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
        report["utterance"] = statistics.median(report["rounds"]) / report["threads"]
        return report

    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("seconds", type=float)
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--without", action="append", default=[], help="an engine to leave out")
    options = parser.parse_args()
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(0)
    folder = options.folder / options.model
    config_class, model_class, settings = MODELS[options.model]
    if not (folder / "config.json").exists():
        model_class(config_class(**settings)).save_pretrained(folder)
    model = model_class.from_pretrained(folder).eval()
    wave = np.random.default_rng(0).standard_normal(int(options.seconds * 16_000)).astype(np.float32) * 0.05
    if options.model.startswith("whisper"):
        extract = WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
        x = extract(wave, sampling_rate=16_000, return_tensors="pt").input_features
    else:
        x = torch.from_numpy(wave)[None]
    module = LastHiddenState(model)
    with torch.inference_mode():
        engines = {"PyTorch": lambda: module(x).numpy()}
        if options.bf16:
            def autocast():
                with torch.autocast("cpu", torch.bfloat16):
                    return module(x).float().numpy()
            engines["PyTorch bf16"] = autocast
        for name, make in (("ONNX Runtime", onnx_runtime), ("OpenVINO", openvino)):
            if name not in options.without:
                with torch.inference_mode(False), torch.no_grad():
                    engines[name] = make(module, x, folder)
        reference = engines["PyTorch"]()
        for name, run in engines.items():
            found = run()  # the first call warms up, and shows that the engine computes the same
            assert np.abs(found - reference).max() < (1.0 if "bf16" in name else 1e-2), name
        ours = {"emobox": emobox(folder, options.model, options.seconds, "f32")}
        if options.bf16:
            ours["emobox bf16"] = emobox(folder, options.model, options.seconds, "bf16")
        times = {name: [] for name in (*engines, *ours)}
        reports = []
        for _ in range(options.rounds):
            for name, run in engines.items():
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
            for name, run in ours.items():
                report = run()
                times[name].append(report["utterance"])
                if name == "emobox":
                    reports.append(report)
    medians = {name: round(statistics.median(values), 4) for name, values in times.items()}
    result = {"model": options.model, "seconds": options.seconds, "rounds": options.rounds, "medians": medians}
    result["times PyTorch"] = {name: round(medians["PyTorch"] / value, 2) for name, value in medians.items()}
    best = sorted(reports, key=lambda report: report["utterance"])[len(reports) // 2]
    result["GFLOP/s"] = round(best["gflops"], 1)
    result["peak"] = round(best["peak_gflops"], 1)
    result["kernels"] = best["kernels"]
    print(json.dumps(result), flush=True)


main()
