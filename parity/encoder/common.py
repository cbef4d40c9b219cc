"""What every golden of the encoders shares.

Weights and waveforms are not stored: both are made from their names by a hash that
crates/encoder/tests/it/made.rs repeats, so that a golden holds hidden states alone.
"""

import json
import pathlib
import platform

import numpy as np
import safetensors.torch
import torch

# torchaudio refuses to load beside a PyTorch built for another CUDA; nothing here runs on one.
torch.version.cuda = None

GOLDEN = pathlib.Path(__file__).parents[2] / "crates/encoder/tests/golden"
LARGEST_GOLDEN = 200_000
U64 = (1 << 64) - 1


def fnv1a(name: str) -> int:
    """FNV-1a over the bytes of a name."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & U64
    return state


def uniform(name: str, count: int) -> np.ndarray:
    """`count` numbers in [-1, 1), f64: splitmix64 with the name's hash as its seed."""
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(fnv1a(name))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0


def tensor(name: str, shape) -> torch.Tensor:
    """A plausible weight: gains around one, biases small, maps that keep the variance."""
    count = int(np.prod(shape, dtype=np.int64))
    values = uniform(name, count)
    gain = len(shape) == 1 and not name.endswith("bias") and not name.endswith("mean")
    if gain or name.endswith(("weight_g", "original0", "gru_rel_pos_const", "alibi_scale")):
        values = 1.0 + 0.25 * values
    elif len(shape) <= 1:
        values = 0.1 * values
    else:
        fan_in = int(np.prod(shape[1:], dtype=np.int64))
        values = values * np.sqrt(3.0 / fan_in)
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def waveform(name: str, samples: int) -> np.ndarray:
    """Noise that swells and fades four times a second, with an offset for normalisation to remove."""
    ramp = np.abs(np.arange(samples) % 4000 - 2000) / 2000.0
    return (uniform(name, samples) * (0.05 + 0.3 * ramp) + 0.01).astype(np.float32)


def fill(model: torch.nn.Module) -> list:
    """Gives every tensor of a model its made values; returns names and shapes."""
    state = model.state_dict()
    made = {name: tensor(name, tuple(value.shape)) for name, value in state.items() if value.is_floating_point()}
    model.load_state_dict(made, strict=False)
    model.eval()
    return [[name, list(value.shape)] for name, value in made.items()]


def write(name: str, states: dict, description: dict, versions: dict) -> None:
    """`states`: utterance -> list of [frame, dim] tensors, one a hidden state."""
    tensors = {
        f"{utterance}.{layer}": state.detach().to(torch.float32).contiguous()
        for utterance, layers in states.items()
        for layer, state in enumerate(layers)
    }
    versions = {"python": platform.python_version(), "torch": torch.__version__, **versions}
    script = description.pop("script")
    metadata = {"script": f"parity/encoder/{script}", "versions": json.dumps(versions), "golden": json.dumps(description)}
    path = GOLDEN / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    safetensors.torch.save_file(tensors, path, metadata=metadata)
    size = path.stat().st_size
    assert size < LARGEST_GOLDEN, f"{path} has {size} bytes"
    spread = max(float(state.abs().max()) for state in tensors.values())
    print(f"{path.name}: {size} bytes, {len(tensors)} states, largest activation {spread:.2f}")


def save_checkpoint(checkpoint: dict, name: str) -> None:
    """A checkpoint file beside its golden, for architectures whose configuration lies inside it."""
    path = GOLDEN / f"{name}.pt"
    torch.save(checkpoint, path)
    size = path.stat().st_size
    assert size < LARGEST_GOLDEN, f"{path} has {size} bytes"
    print(f"{path.name}: {size} bytes")
