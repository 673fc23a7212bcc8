# SPDX-License-Identifier: Apache-2.0
"""The files of `deploy/` parse, agree with each other, and call the program as it is."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from mainstem.cli.commands.serve import PORT, serve_command
from mainstem.config import settings_of
from mainstem.config.document import load_yaml
from mainstem.config.settings import ServeSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
GRACE_S = ServeSettings().grace_s
CANCEL_S = 20
"""At most, after the grace: once cleanly, once at once."""


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yml").read_text())


@pytest.fixture(scope="module")
def unit():
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str
    parser.read_string((DEPLOY / "mainstem.service").read_text())
    return parser


@pytest.fixture(scope="module")
def dockerfile():
    text = (DEPLOY / "Dockerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [tuple(line.strip().split(None, 1)) for line in lines if line.strip()]


def _arguments(words):
    program, command, *rest = words
    assert program.rpartition("/")[2] == "mainstem"
    assert command == "serve"
    return serve_command.make_context("serve", list(rest)).params


def test_the_image_starts_the_server_on_its_port(dockerfile):
    steps = dict(dockerfile)  # the last of each kind
    words = yaml.safe_load(steps["CMD"])

    asked = _arguments(words)

    assert asked["port"] == PORT == int(steps["EXPOSE"])
    assert asked["host"] == "0.0.0.0"
    assert f":{PORT}/health/live" in steps["HEALTHCHECK"]


def test_the_servers_can_write_whatever_belongs_to_them_in_a_project_of_somebody_else(
    compose, dockerfile
):
    (made,) = re.findall(r"install -d -o mainstem -g mainstem ([/\w .]+)", str(dockerfile))
    owned = set(made.replace("\\", " ").split())

    for name in ("leader", "standby"):
        mounted = [volume.rsplit(":", 1) for volume in compose["services"][name]["volumes"]]
        named = {target for source, target in mounted if source in compose["volumes"]}
        assert named == {"/project/.mainstem", "/warehouse"}
        assert named <= owned
        assert compose["services"][name]["init"] is True


def test_what_the_image_is_made_of_is_sent_to_the_build(dockerfile):
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()

    for step, rest in dockerfile:
        if step == "COPY" and not rest.startswith("--from"):
            assert [name for name in rest.split()[:-1] if f"!{name}" not in ignored] == []


def test_the_image_is_made_of_files_that_are_there_and_extras_that_exist(dockerfile):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    copied = [
        word
        for step, rest in dockerfile
        if step == "COPY" and not rest.startswith("--from")
        for word in rest.split()[:-1]
    ]
    (extras,) = re.findall(r"/source\[([\w,]+)\]", str(dockerfile))

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [
        name for name in extras.split(",") if name not in project["optional-dependencies"]
    ] == []
    assert all(name in copied for name in ("README.md", "LICENSE")), "the build needs them"


def test_the_image_does_not_run_as_root(dockerfile):
    order = [step for step, _rest in dockerfile]

    assert order.index("USER") < order.index("CMD")
    assert dict(dockerfile)["USER"] == "mainstem"


def test_two_servers_share_what_must_be_shared(compose):
    leader, standby = compose["services"]["leader"], compose["services"]["standby"]

    for name in ("image", "environment", "volumes", "build"):
        assert leader[name] == standby[name]
    named = {mount.partition(":")[0] for mount in leader["volumes"]} - {"${PROJECT"}
    assert named <= set(compose["volumes"])
    assert (DEPLOY / leader["build"]["context"] / leader["build"]["dockerfile"]).exists()


def test_ports_of_the_host_are_its_own_and_lead_to_the_server(compose):
    ports = [
        port for server in ("leader", "standby") for port in compose["services"][server]["ports"]
    ]

    assert [port.rpartition(":")[2] for port in ports] == [str(PORT), str(PORT)]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len(set(ports)) == len(ports)


def test_a_server_waits_for_its_database_and_has_its_credentials(compose):
    database, server = compose["services"]["postgres"], compose["services"]["leader"]

    assert server["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "healthcheck" in database
    secret = database["environment"]["POSTGRES_PASSWORD"]
    assert server["environment"]["LAKE_PASSWORD"] == secret
    assert secret.startswith("${LAKE_PASSWORD:?"), "no password by default"
    assert server["environment"]["LAKE_HOST"] in compose["services"]


def test_the_settings_that_the_compose_file_asks_for_are_valid():
    text = (DEPLOY / "compose.yml").read_text()
    (line,) = re.findall(r"^#\s+(lake: \{.*\})$", text, re.MULTILINE)

    settings = settings_of(load_yaml(f"name: shop\n{line}\n", "mainstem.yml"))

    assert settings.environment().lake.warehouse == "/warehouse"
    assert "${LAKE_PASSWORD}@${LAKE_HOST}" in settings.environment().lake.database


def test_servers_are_killed_only_after_they_could_end(compose, unit):
    seconds = int(compose["services"]["leader"]["stop_grace_period"].removesuffix("s"))

    assert seconds >= GRACE_S + CANCEL_S
    assert int(unit["Service"]["TimeoutStopSec"]) >= GRACE_S + CANCEL_S


def test_the_unit_starts_reloads_and_stops_the_server(unit):
    service = unit["Service"]

    assert _arguments(shlex.split(service["ExecStart"]))["port"] == PORT
    assert service["ExecReload"].split() == ["/bin/kill", "-HUP", "$MAINPID"]
    assert service["KillMode"] == "mixed", "workers are the server's to stop"
    assert service["Restart"] == "on-failure"
    assert service["WorkingDirectory"] == service["ReadWritePaths"]
    assert unit["Install"]["WantedBy"] == "multi-user.target"
