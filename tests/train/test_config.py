import dataclasses
from pathlib import Path

import pytest

from pcbin.errors import TrainingError
from pcbin.train import config

RECIPES = sorted((Path(__file__).parents[2] / "models").glob("*.toml"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_defaults_and_name_from_the_file(tmp_path: Path) -> None:
    read = config.read(write(tmp_path, ""))
    assert read.name == "recipe"
    assert read.model == config.ModelConfig()


def test_keys_and_settings(tmp_path: Path) -> None:
    path = write(tmp_path, 'seed = 3\n[model.latent]\nkind = "plain"\n[optim]\nrate = 1\n')
    read = config.read(path, ("optim.steps=7", "name=other", "model.decoder.widths=[8, 9]"))
    assert (read.seed, read.model.latent.kind, read.optim.rate) == (3, "plain", 1.0)
    assert (read.optim.steps, read.name, read.model.decoder.widths) == (7, "other", (8, 9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 3", "unknown key sed"),
        ("[optim]\nlearning_rate = 1", "unknown key optim.learning_rate"),
        ("[model.latent]\nkind = 'binary'", "model.latent.kind is 'binary', not one of"),
        ("[optim]\nsteps = 'many'", "optim.steps is 'many', not of type int"),
        ("[optim]\nsteps = true", "optim.steps is True"),
        ("[model.decoder]\nwidths = 3", "model.decoder.widths is 3, not a list"),
        ("[model.latent]\nkind = 'normal'\ngroups = 2", "normal latents do not come in 2 groups"),
        ("model = 3", "model is not a table"),
        ("seed = ", "is not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TrainingError, match=r"recipe\.toml") as caught:
        config.read(write(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_setting_without_value(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        config.read(tmp_path / "none.toml")
    with pytest.raises(TrainingError, match="no '='"):
        config.read(write(tmp_path, ""), ("steps",))


def test_round_trip_through_plain_values(tmp_path: Path) -> None:
    read = config.read(write(tmp_path, "[data]\npaths = ['a', 'b']"))
    assert config.parse(config.to_dict(read)) == read


def test_every_key_is_documented() -> None:
    """In the table of docs/training.md, under its own table, with its default."""
    rows: dict[str, str] = {}
    heading = ""
    for line in (Path(__file__).parents[2] / "docs" / "training.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and "`" in cells[2]:
            heading = cells[1].strip("`") or heading
            rows[heading] = rows.get(heading, "") + cells[2]
    for name, section in [
        ("data", config.DataConfig),
        ("optim", config.OptimConfig),
        ("log", config.LogConfig),
        ("model.latent", config.LatentConfig),
        ("model.encoder", config.EncoderConfig),
        ("model.decoder", config.DecoderConfig),
    ]:
        for field in dataclasses.fields(section):
            assert f"`{field.name}`" in rows[name], f"{name}.{field.name}"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_parse_and_carry_their_name(path: Path) -> None:
    assert config.read(path).name == path.stem
