"""In-memory implementations of the ports, held against the real ones by the contract suites."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from quakeslide.ports import Listed, Stored


@dataclass
class MemoryStore:
    """A bucket in memory with exact generation preconditions."""

    objects: dict[str, Stored] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    last_generation: int = 0

    def read(self, name: str) -> Stored | None:
        return self.objects.get(name)

    def create(self, name: str, data: bytes, content_type: str) -> bool:
        return self.replace(name, data, content_type, 0)

    def replace(self, name: str, data: bytes, content_type: str, generation: int) -> bool:
        standing = self.objects.get(name)
        if (standing.generation if standing else 0) != generation:
            return False
        self.last_generation += 1
        self.objects[name] = Stored(data=bytes(data), generation=self.last_generation)
        self.writes.append(name)
        return True

    def delete(self, name: str, generation: int | None = None) -> None:
        if name in self.objects and generation in (None, self.objects[name].generation):
            del self.objects[name]

    def list(self, prefix: str) -> Iterator[Listed]:
        for name in sorted(self.objects):
            if name.startswith(prefix):
                stored = self.objects[name]
                yield Listed(name=name, generation=stored.generation, size=len(stored.data))

    def open(self, name: str, generation: int) -> BinaryIO:
        stored = self.objects[name]
        assert stored.generation == generation
        return io.BytesIO(stored.data)


@dataclass
class MemoryBus:
    """Keeps what was published, in order."""

    published: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        self.published.append((topic, data, dict(attributes)))

    def publish_all(self, topic: str, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> None:
        for data, attributes in messages:
            self.publish(topic, data, attributes)
