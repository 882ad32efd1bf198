import json

from click.testing import CliRunner

from quakeslide.cli.main import main


def test_dry_run_prints_the_message_and_sends_nothing() -> None:
    arguments = ["trigger", "us6000m0xl", "--stages", "60-24", "--force", "--dry-run", "--project", "p"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)  # sockets are blocked here
    assert result.exit_code == 0
    body = json.loads(result.output)
    assert body == {"kind": "manual", "version": 1, "event_id": "us6000m0xl", "stages": ["60-24"], "force": True}
