"""The training room: recipes, data, networks in training, evaluation. Nothing of the runtime imports it."""
