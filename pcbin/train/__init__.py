"""The training room: the only place that imports torch. Nothing of the runtime imports it."""
