"""Goldens of Dasheng, by the authors' package `dasheng`: as a Hugging Face folder, and as their own file.

    /opt/parity/bin/python parity/encoder/dasheng_encoder.py

Recordings longer than a window are taken as the package takes them: the last window ends with the recording. (Early remote code on
the hub filled it up with zeros.)
"""

import common  # first: it lets torchaudio load

import importlib.metadata
import pathlib

import torch
from dasheng.pretrained.pretrained import Dasheng

VERSIONS = {"dasheng": importlib.metadata.version("dasheng")}
SMALL = dict(patch_size=[64, 4], patch_stride=[64, 4], embed_dim=24, depth=2, num_heads=4, target_length=100)
# In the spelling of the hub, and in the authors' own file with what they leave to defaults.
VARIANTS = {"dasheng": ({}, False), "dasheng-pt": (dict(mlp_ratio=2.0), True)}
UTTERANCES = {"long": 30_000, "short": 4_321, "least": 480}


def states_of(model, wave):
    """Before the first block, after each, and after the norm; the windows one after another."""
    windows = []
    entry = model.blocks[0].register_forward_pre_hook(lambda block, inputs: windows.append([inputs[0][0]]))
    handles = [block.register_forward_hook(lambda block, inputs, output: windows[-1].append(output[0])) for block in model.blocks]
    with torch.no_grad():
        last = model(torch.from_numpy(wave)[None])[0]
    for handle in (entry, *handles):
        handle.remove()
    return [torch.cat(states) for states in zip(*windows)][:-1] + [last]


def made(settings):
    """A model with made weights, and its tensors but for those that its spectrum is computed with."""
    model = Dasheng(**settings)
    fixed = {name: value.clone() for name, value in model.state_dict().items() if name.startswith("front_end.")}
    tensors = common.fill(model)
    model.load_state_dict(fixed, strict=False)
    return model, [entry for entry in tensors if entry[0] not in fixed]


def full_size(folder, wave, settings):
    model, _ = made(settings)
    path = pathlib.Path(folder) / "dasheng.pt"
    torch.save({"model": model.state_dict(), "config": settings}, path)
    return path, [state.numpy() for state in states_of(model, wave)]


if __name__ == "__main__":
    for name, (settings, own) in VARIANTS.items():
        settings = {**SMALL, **settings}
        model, tensors = made(settings)
        states = {utterance: states_of(model, common.waveform(utterance, samples)) for utterance, samples in UTTERANCES.items()}
        description = dict(script="dasheng_encoder.py", utterances=UTTERANCES)
        if own:
            common.save_checkpoint({"model": model.state_dict(), "config": settings}, name)
        else:
            # As the hub's remote code writes it: the settings twice, and the tensors below `encoder.`.
            config = {"architectures": ["DashengModel"], "model_type": "dasheng", "name": "dasheng-base", "loss": "BCELoss", "encoder_kwargs": settings}
            preprocessor = {"feature_size": 64, "f_min": 0, "f_max": 8000, "n_fft": 512, "win_size": 512, "hop_size": 160, "center": True, "sampling_rate": 16_000}
            description |= dict(config=config, preprocessor=preprocessor, tensors=tensors)
        common.write(name, states, description, VERSIONS)
