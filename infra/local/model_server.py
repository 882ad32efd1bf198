"""The stack's model server: the genuine TensorFlow Serving where it is on PATH, else ours."""

import shutil
from pathlib import Path

from infra.local.processes import Child, free_port


class ModelServer(Child):
    """Serves every model of a folder.

    Args:
        root: of the repository.
        models: folder of SavedModels, `<name>/<version>/`.
        folder: of the stack, for configuration and log.
    """

    def __init__(self, root: Path, models: Path, folder: Path) -> None:
        genuine = shutil.which("tensorflow_model_server")
        self._port = free_port() if genuine else 0
        if genuine:
            config = folder / "models.config"
            entries = [
                f'config {{ name: "{path.name}" base_path: "{path}" model_platform: "tensorflow" }}'
                for path in sorted(models.iterdir())
                if path.is_dir()
            ]
            config.write_text("model_config_list {\n" + "\n".join(entries) + "\n}\n", encoding="utf-8")
            command = [genuine, f"--port={self._port}", f"--model_config_file={config}"]
            command.append("--enable_serialization_as_tensor_content=true")  # as serving/Dockerfile has it
        else:
            command = [str(root / "build" / "envs" / "serving" / "bin" / "python"), "-m", "serving.local_server"]
            command += ["--models", str(models), "--port", "0", "--rest-port", "0"]
        super().__init__("model_server", command, {}, root, folder / "logs" / "model_server.log")

    def addresses(self) -> tuple[str, str]:
        """Wait until it answers; return host and port of its gRPC service and the URL of our server's controls, else no URL."""
        if self._port:
            self.wait_for_port(self._port)
            return f"127.0.0.1:{self._port}", ""
        ready = self.ready_line()
        return f"127.0.0.1:{ready['port']}", f"http://127.0.0.1:{ready['rest_port']}"
