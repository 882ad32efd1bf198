"""Model cards as they lie in the models bucket, beside the models."""

from functools import lru_cache

from quakeslide.documents.card import read_card
from quakeslide.domain.model_card import ModelCard
from quakeslide.errors import ModelMissing, UnusableModelCard
from quakeslide.ports import ObjectStore


class StoredModelCards:
    """Reads `{name}/{version}/card.json`, each once.

    Args:
        models: the models bucket.
    """

    def __init__(self, models: ObjectStore) -> None:
        self._models = models
        self.card = lru_cache(maxsize=64)(self._read)  # a served version never changes

    def _read(self, name: str, version: int) -> ModelCard:
        """Return the card of one served version.

        Raises:
            ModelMissing: there is no card.
            UnusableModelCard: it cannot be used, or is another model's.
        """
        path = f"{name}/{version}/card.json"
        stored = self._models.read(path)
        if stored is None:
            raise ModelMissing(f"model {name} version {version} is served but has no card {path} in the models bucket")
        card = read_card(stored.data, path)
        if (card.name, card.version) != (name, version):
            raise UnusableModelCard(f"{path} is the card of {card.name} version {card.version}")
        return card
