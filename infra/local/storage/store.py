"""Buckets and objects on disk; every change is one atomic step under one lock.

ROOT/buckets/BUCKET/bucket.json               the bucket
ROOT/buckets/BUCKET/objects/SHA256(NAME).json an object exists once this file does: its replacement is the commit
ROOT/buckets/BUCKET/bytes/GENERATION          its bytes, renamed into place before the commit
ROOT/incoming/                                bytes on their way in; emptied at the start
"""

import os
import shutil
import threading
import time
from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from infra.local.clock import Clock
from infra.local.storage.errors import conflict, not_found
from infra.local.storage.events import Event, EventSink
from infra.local.storage.files import Draft, read_json_files, write_json
from infra.local.storage.names import check_bucket_name, check_object_name, file_stem
from infra.local.storage.preconditions import Preconditions
from infra.local.storage.resources import Bucket, StoredObject, merge_properties

_NONE = Preconditions()


class ObjectStore:
    """All buckets under one root.

    Attributes:
        incoming: folder for bytes on their way in; on the same file system as the objects.
    """

    def __init__(self, root: Path, clock: Clock, events: EventSink) -> None:
        self.incoming = root / "incoming"
        self._buckets_folder = root / "buckets"
        self._clock = clock
        self._events = events
        self._lock = threading.RLock()
        self._buckets: dict[str, Bucket] = {}
        self._objects: dict[str, dict[str, StoredObject]] = {}
        self._names: dict[str, list[str]] = {}  # sorted by code point, which is the byte order of UTF-8
        self._last_generation = 0
        self._load()

    # --- buckets ---

    def create_bucket(self, name: object, properties: Mapping[str, Any]) -> Bucket:
        """Create a bucket; 409 if it exists, 400 for a bad name."""
        name = check_bucket_name(name)
        with self._lock:
            if name in self._buckets:
                raise conflict("Your previous request to create the named bucket succeeded and you already own it.")
            bucket = Bucket(name=name, time_created=self.stamp(), properties=dict(properties))
            folder = self._buckets_folder / name
            for part in ("objects", "bytes"):
                (folder / part).mkdir(parents=True, exist_ok=True)
            write_json(folder / "bucket.json", asdict(bucket))
            self._buckets[name], self._objects[name], self._names[name] = bucket, {}, []
            return bucket

    def bucket(self, name: str) -> Bucket:
        """Return a bucket; 404 if there is none."""
        with self._lock:
            if name not in self._buckets:
                raise not_found("The specified bucket does not exist.")
            return self._buckets[name]

    def buckets(self) -> list[Bucket]:
        """Return all buckets by name."""
        with self._lock:
            return [self._buckets[name] for name in sorted(self._buckets)]

    def delete_bucket(self, name: str) -> None:
        """Delete an empty bucket; 409 if it holds objects."""
        with self._lock:
            self.bucket(name)
            if self._objects[name]:
                raise conflict("The bucket you tried to delete is not empty.")
            (self._buckets_folder / name / "bucket.json").unlink()
            shutil.rmtree(self._buckets_folder / name)
            del self._buckets[name], self._objects[name], self._names[name]

    # --- objects ---

    def objects(self, bucket: str) -> tuple[list[str], dict[str, StoredObject]]:
        """Return the sorted names and the objects of a bucket as they are now."""
        with self._lock:
            self.bucket(bucket)
            return list(self._names[bucket]), dict(self._objects[bucket])

    def count(self, bucket: str) -> int:
        """Return the number of objects in a bucket, 0 if it is gone."""
        with self._lock:
            return len(self._names.get(bucket, ()))

    def live(self, bucket: str, name: str) -> StoredObject | None:
        """Return the object or None; 404 if there is no such bucket."""
        with self._lock:
            self.bucket(bucket)
            return self._objects[bucket].get(name)

    def get(
        self, bucket: str, name: str, generation: int | None, preconditions: Preconditions, *, reading: bool = True
    ) -> StoredObject:
        """Return an object; 404 if this generation of it is not the live one, 412 or 304 by the preconditions."""
        with self._lock:
            found = self.live(bucket, name)
            if found is None or generation not in (None, found.generation):
                raise not_found(f"No such object: {bucket}/{name}" + (f"#{generation}" if generation else ""))
            preconditions.check_object(found, reading=reading)
            return found

    def open(
        self, bucket: str, name: str, generation: int | None, preconditions: Preconditions
    ) -> tuple[StoredObject, IO[bytes]]:
        """Return an object and its bytes, which stay readable even if it is overwritten meanwhile."""
        with self._lock:
            found = self.get(bucket, name, generation, preconditions)
            return found, self._bytes(found).open("rb")

    def commit(
        self, bucket: str, name: str, draft: Draft, properties: Mapping[str, Any], preconditions: Preconditions
    ) -> StoredObject:
        """Make the draft the live object, if the preconditions hold now.

        Raises:
            StorageError: 404 no such bucket, 400 bad name, 412 a precondition does not hold. The draft is left alone.
        """
        check_object_name(name)
        with self._lock:
            old = self.live(bucket, name)
            preconditions.check_object(old, reading=False)
            # real time, not the replayed clock: a generation must rise even where the clock stands still
            self._last_generation = max(self._last_generation + 1, time.time_ns() // 1000)
            now = self.stamp()
            new = StoredObject(
                bucket=bucket,
                name=name,
                generation=self._last_generation,
                metageneration=1,
                size=draft.size,
                crc32c=draft.crc32c,
                md5_hash=draft.md5_hash,
                time_created=now,
                updated=now,
                properties=merge_properties({}, properties),
            )
            os.replace(draft.path, self._bytes(new))
            self._events.change(Event.write(old, new, now), lambda: write_json(self._record(new), asdict(new)))
            self._objects[bucket][name] = new
            if old is None:
                insort(self._names[bucket], name)
            else:
                self._bytes(old).unlink()
            return new

    def patch(
        self, bucket: str, name: str, generation: int | None, change: Mapping[str, Any], preconditions: Preconditions
    ) -> StoredObject:
        """Change properties, not bytes: the metageneration rises."""
        with self._lock:
            old = self.get(bucket, name, generation, preconditions, reading=False)
            new = replace(
                old,
                metageneration=old.metageneration + 1,
                updated=self.stamp(),
                properties=merge_properties(old.properties, change),
            )
            self._events.change(Event.patch(new, new.updated), lambda: write_json(self._record(new), asdict(new)))
            self._objects[bucket][name] = new
            return new

    def delete(self, bucket: str, name: str, generation: int | None, preconditions: Preconditions) -> None:
        """Delete an object."""
        with self._lock:
            old = self.get(bucket, name, generation, preconditions, reading=False)
            self._events.change(Event.delete(old, self.stamp()), self._record(old).unlink)
            del self._objects[bucket][name]
            names = self._names[bucket]
            del names[bisect_left(names, name)]
            self._bytes(old).unlink()

    def copy_draft(self, source: StoredObject) -> Draft:
        """Return the bytes of an object as a draft: a second link to the same file, no byte is copied.

        Raises:
            StorageError: 404, the object was overwritten or deleted meanwhile.
        """
        path = self.new_path()
        with self._lock:
            self.get(source.bucket, source.name, source.generation, _NONE)
            os.link(self._bytes(source), path)
        return Draft(path=path, size=source.size, crc32c=source.crc32c, md5_hash=source.md5_hash)

    def new_path(self) -> Path:
        """Return a fresh path for bytes on their way in."""
        return self.incoming / uuid4().hex

    def stamp(self) -> str:
        """Return the present instant as Cloud Storage writes it: RFC 3339, UTC, milliseconds."""
        return self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # --- disk ---

    def _record(self, stored: StoredObject) -> Path:
        return self._buckets_folder / stored.bucket / "objects" / f"{file_stem(stored.name)}.json"

    def _bytes(self, stored: StoredObject) -> Path:
        return self._buckets_folder / stored.bucket / "bytes" / str(stored.generation)

    def _load(self) -> None:
        """Read what an earlier run left; remove what it had not committed."""
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.incoming.mkdir(parents=True)
        self._buckets_folder.mkdir(exist_ok=True)
        for folder in sorted(self._buckets_folder.iterdir()):
            if not (folder / "bucket.json").exists():
                shutil.rmtree(folder)
                continue
            (bucket,) = (Bucket(**fields) for fields in read_json_files(folder))
            objects = [StoredObject(**fields) for fields in read_json_files(folder / "objects")]
            self._buckets[bucket.name] = bucket
            self._objects[bucket.name] = {stored.name: stored for stored in objects}
            self._names[bucket.name] = sorted(self._objects[bucket.name])
            committed = {str(stored.generation) for stored in objects}
            for path in (folder / "bytes").iterdir():
                if path.name not in committed:
                    path.unlink()
            self._last_generation = max(self._last_generation, *(stored.generation for stored in objects), 0)
