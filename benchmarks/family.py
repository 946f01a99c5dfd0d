"""The family on one class: AE, VAE-N, VAE-GM, VAE-Beta and its bits, through the encoder alone and with a search.

    python benchmarks/family.py PATH/infinigen.npz --label ChairFactory --label OfficeChairFactory
        --label BarChairFactory --label ArmChairFactory [--models DIR] [--efforts 0 3 9]

Prints Markdown: CD x 1e-4, mean form, of the test split, and how far above what AE's floats give through its encoder.
"Encoder" decodes the latents as they are. A search is the codec's own over each model's latents, and what it finds is
decoded from a code: 16 bytes of bits, or the integers that other latents are kept as.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pcbin import neighbours
from pcbin.codec import Codec, latents
from pcbin.effort import DEFAULT_EFFORT, HIGHEST
from pcbin.model import Model, load
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import Clouds, halves

MEMBERS = {"AE": "ae", "VAE-N": "vae-n", "VAE-GM": "vae-gm", "VAE-Beta": "vae-beta"}


def mean_distortion(clouds: Clouds, decoded: Clouds) -> float:
    return float(neighbours.chamfer(clouds, decoded).mean()) * 1e4


def by_code(model: Model, clouds: Clouds, effort: int) -> float:
    codec = Codec(model, effort)
    return mean_distortion(clouds, codec.decode(codec.encode(clouds)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pool")
    parser.add_argument("--label", action="append", default=[])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--efforts", type=int, nargs="+", default=[DEFAULT_EFFORT, HIGHEST])
    parser.add_argument("--first", type=int, help="so many test clouds")
    arguments = parser.parse_args()

    (pool,) = load_pools([arguments.pool], tuple(arguments.label))
    clouds, others = halves(pool.part("test").slice(0, arguments.first).points)
    models = {name: load(arguments.models / f"{stem}.safetensors") for name, stem in MEMBERS.items()}
    through = {name: mean_distortion(clouds, model.decode(latents(model, clouds))) for name, model in models.items()}
    reference = through["AE"]

    def cell(value: float) -> str:
        return f"{value:.2f} ({value / reference - 1:+.1%})"

    print(f"{len(clouds)} test clouds, noise floor {mean_distortion(clouds, others):.2f}\n")
    searches = [f"effort {effort}" for effort in arguments.efforts]
    print("| " + " | ".join(["model", "rate", "encoder", *searches]) + " |")
    print("|---" * (3 + len(searches)) + "|")
    for name, model in models.items():
        binary = name == "VAE-Beta"
        searched = [cell(by_code(model, clouds, effort)) for effort in arguments.efforts if not binary]
        row = [name, f"{model.config.latent.size} floats", cell(through[name]), *(searched or [""] * len(searches))]
        print(f"| {' | '.join(row)} |", flush=True)
    bits = models["VAE-Beta"]
    row = ["binary", f"{8 * bits.config.latent.code_bytes} bits", cell(by_code(bits, clouds, 0))]
    print(f"| {' | '.join([*row, *(cell(by_code(bits, clouds, effort)) for effort in arguments.efforts)])} |")


if __name__ == "__main__":
    main()
