"""One tile, one Predict call, with nothing but the message modules: what the wire costs. See `lines`."""

import click
import numpy as np
from numpy.typing import NDArray

from tests.bench.lines import Image, serve
from tests.contract.model_server_service import Client, array


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--model", required=True)
def main(port: int, model: str) -> None:
    """Score over gRPC until the input ends."""
    client = Client(port)

    def prepare(image: Image):  # type: ignore[no-untyped-def]
        def score() -> NDArray[np.float32]:
            reply = client.predict(model, {"image": image}, signature="tile", outputs=["scores"])
            return array(reply.outputs["scores"])

        return score

    serve(prepare)


if __name__ == "__main__":
    main()
