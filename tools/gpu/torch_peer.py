"""What PyTorch and transformers make of the encoders of tools/gpu/check.sh, on the same card.

    python3 tools/gpu/torch_peer.py FOLDER NAME,NAME LENGTHS [cpu]

FOLDER holds the encoders and `utterance-0.f32` … (crates/encoder/tests/it/full_size.rs). For each encoder, a line of JSON: the mean error of
its last hidden state in bf16 against f32 over the mean magnitude, which also goes to `torch.json` beside the f32 states themselves; and the
seconds of three rounds over utterances of the lengths in the file LENGTHS (samples, a line each), sorted, padded, bf16, at the best of three batch sizes.
Waveforms are normalised and log-mel features made before the clock starts; the copies to the card and back count.
"""

import json
import pathlib
import statistics
import sys
import time

import torch
import transformers
from safetensors.torch import load_file

FOLDER, NAMES, LENGTHS = pathlib.Path(sys.argv[1]), sys.argv[2].split(","), pathlib.Path(sys.argv[3])
CPU = sys.argv[4:] == ["cpu"]
DEVICE = "cpu" if CPU else "cuda"
BATCHES = [2, 4] if CPU else [16, 32, 64]
if CPU:
    # A build of PyTorch for cards asks their driver, which is not there.
    torch.cuda.is_current_stream_capturing = lambda: False
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def load(folder, dtype):
    """The encoder and the name of its attention."""
    config = transformers.AutoConfig.from_pretrained(folder)
    whisper = config.model_type == "whisper"
    build = transformers.models.whisper.modeling_whisper.WhisperEncoder if whisper else transformers.AutoModel.from_config
    for attention in ["sdpa", "eager"]:
        config._attn_implementation = attention
        try:
            model = build(config) if whisper else build(config, attn_implementation=attention)
            break
        except ValueError:
            continue
    weights = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        # The older names of the parts of a weight norm.
        name = name.replace("conv.weight_g", "conv.parametrizations.weight.original0")
        name = name.replace("conv.weight_v", "conv.parametrizations.weight.original1")
        weights[name.removeprefix("model.").removeprefix("encoder." if whisper else "")] = tensor
    missing, unknown = model.load_state_dict(weights, strict=False)
    missing = [name for name in missing if name not in ("masked_spec_embed", "embed_positions.weight")]
    if missing or unknown:
        raise SystemExit(f"{folder}: missing {missing[:3]}, not known {unknown[:3]}")
    return model.eval().to(DEVICE, dtype), attention


def front_end(folder, whisper):
    if whisper:
        bins = json.loads((folder / "config.json").read_text())["num_mel_bins"]
        extract = transformers.WhisperFeatureExtractor(feature_size=bins)
        return lambda wave: torch.from_numpy(extract(wave, sampling_rate=16_000, return_tensors="np").input_features[0])
    settings = folder / "preprocessor_config.json"
    normalise = json.loads(settings.read_text())["do_normalize"] if settings.exists() else True

    def prepare(wave):
        wave = torch.as_tensor(wave)
        return (wave - wave.mean()) / torch.sqrt(wave.var(correction=0) + 1e-7) if normalise else wave

    return prepare


@torch.inference_mode()
def errors(folder, waves, prepare, whisper):
    states = []
    for dtype in [torch.float32, torch.bfloat16]:
        model, _ = load(folder, dtype)
        found = [model(prepare(wave)[None].to(DEVICE, dtype)).last_hidden_state[0].float().cpu() for wave in waves]
        if whisper:
            found = [state[: len(wave) // 320] for state, wave in zip(found, waves)]
        states.append(found)
    exact, rounded = states
    for at, state in enumerate(exact):
        state.numpy().tofile(folder / f"torch-{at}.f32")
    worst = max(((a - b).abs().mean() / b.abs().mean()).item() for a, b in zip(rounded, exact))
    (folder / "torch.json").write_text(json.dumps({"bf16": worst}))
    return worst


@torch.inference_mode()
def speed(folder, lengths, prepare, whisper):
    """Seconds of each round at the best batch size, that size, and the attention."""
    dtype = torch.float32 if CPU else torch.bfloat16
    model, attention = load(folder, dtype)
    noise = torch.randn(max(lengths), generator=torch.Generator().manual_seed(0)) * 0.05
    inputs = [prepare(noise[:samples].numpy()) for samples in sorted(lengths, reverse=True)]

    def run(size):
        begun = time.perf_counter()
        for at in range(0, len(inputs), size):
            batch = inputs[at : at + size]
            if whisper:
                states = model(torch.stack(batch).to(DEVICE, dtype)).last_hidden_state
            else:
                padded = torch.nn.utils.rnn.pad_sequence(batch, batch_first=True)
                mask = torch.arange(padded.shape[1])[None] < torch.tensor([len(wave) for wave in batch])[:, None]
                states = model(padded.to(DEVICE, dtype), attention_mask=mask.to(DEVICE).long()).last_hidden_state
            states.to(torch.float16).cpu()
        return time.perf_counter() - begun

    found = {}
    for size in BATCHES:
        try:
            run(size)
            found[size] = [run(size) for _ in range(3)]
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
    best = min(found, key=lambda size: statistics.median(found[size]))
    return {"rounds": found[best], "batch": best, "attention": attention, "audio_seconds": sum(lengths) / 16_000}


lengths = [int(line) for line in LENGTHS.read_text().split()]
for name in NAMES:
    folder = FOLDER / name
    whisper = name.startswith("whisper")
    waves = [torch.from_file(str(path), size=path.stat().st_size // 4).numpy() for path in sorted(FOLDER.glob("utterance-*.f32"))]
    prepare = front_end(folder, whisper)
    line = {"encoder": name, "torch": torch.__version__, "transformers": transformers.__version__}
    line["bf16"] = errors(folder, waves, prepare, whisper)
    # As Whisper computes 30 s of each.
    line |= speed(folder, lengths[:256] if whisper else lengths, prepare, whisper)
    print(json.dumps(line), flush=True)
    if not CPU:
        torch.cuda.empty_cache()
