"""One Cloud Storage bucket as an ObjectStore, with exact preconditions."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import google.auth.exceptions
import requests
from google.api_core import exceptions as api
from google.cloud import storage

from quakeslide.errors import StoreUnavailable
from quakeslide.ports import Listed, Stored

CHUNK = 1 << 20  # bytes a BlobReader fetches at a time; a GeoTIFF tile is smaller


class GcsStore:
    """A bucket.

    Args:
        bucket: its name.
        client: a storage client; made from the environment where None (STORAGE_EMULATOR_HOST is honoured).
    """

    def __init__(self, bucket: str, client: storage.Client | None = None) -> None:
        self.bucket_name = bucket
        self._bucket = (client or storage.Client()).bucket(bucket)

    def read(self, name: str) -> Stored | None:
        """Return the object, or None where there is none; bytes and generation belong together."""
        with self._translated(name):
            blob = self._bucket.blob(name)
            try:
                data = blob.download_as_bytes()
            except api.NotFound:
                if not self._bucket.exists():
                    raise StoreUnavailable(f"bucket {self.bucket_name} is not there (reading {name})") from None
                return None
            if blob.generation is None:  # the download's own headers name the generation of these bytes
                raise StoreUnavailable(f"gs://{self.bucket_name}/{name}: the reply named no generation")
            return Stored(data=data, generation=int(blob.generation))

    def create(self, name: str, data: bytes, content_type: str) -> bool:
        """Write the object if there is none; False where one exists."""
        return self.replace(name, data, content_type, 0)

    def replace(self, name: str, data: bytes, content_type: str, generation: int) -> bool:
        """Write the object if it still has this generation (0: none exists); False where it has not."""
        with self._translated(name):
            blob = self._bucket.blob(name)
            # Uploads are retried by the client, so a write can meet its own success as a failed precondition. The mark tells.
            mark = uuid.uuid4().hex
            blob.metadata = {"write": mark}
            try:
                blob.upload_from_string(
                    data, content_type=content_type, if_generation_match=generation, checksum="crc32c"
                )
            except api.PreconditionFailed:
                standing = self._bucket.get_blob(name)
                return standing is not None and (standing.metadata or {}).get("write") == mark
            return True

    def delete(self, name: str, generation: int | None = None) -> None:
        """Delete the object, or only this generation of it; one that is not there, or has another one, is no error."""
        with self._translated(name):
            try:
                self._bucket.blob(name).delete(if_generation_match=generation)
            except api.PreconditionFailed:
                return
            except api.NotFound:
                if not self._bucket.exists():
                    raise StoreUnavailable(f"bucket {self.bucket_name} is not there (deleting {name})") from None

    def list(self, prefix: str) -> Iterator[Listed]:
        """Yield the objects under a prefix in name order."""
        with self._translated(prefix):
            for blob in self._bucket.list_blobs(prefix=prefix):
                yield Listed(name=blob.name, generation=int(blob.generation), size=int(blob.size))

    def open(self, name: str, generation: int) -> BinaryIO:
        """Open one generation for random reading."""
        with self._translated(name):
            return cast(BinaryIO, self._bucket.blob(name, generation=generation).open("rb", chunk_size=CHUNK))

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        """Turn every SDK error into StoreUnavailable, naming bucket and object."""
        try:
            yield
        except (api.GoogleAPIError, google.auth.exceptions.GoogleAuthError, requests.RequestException) as error:
            raise StoreUnavailable(f"gs://{self.bucket_name}/{name}: {error}") from error
