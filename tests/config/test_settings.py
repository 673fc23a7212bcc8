# SPDX-License-Identifier: Apache-2.0
"""mainstem.yml: what it may say, what it means, what is wrong with it."""

import pickle

import pytest

from mainstem.config import load_settings, load_yaml, settings_of
from mainstem.errors import ConfigInvalid, ErrorGroup

GRAMMAR = """
name: shop
requires_mainstem: ">=0.1,<0.2"
include: [transform]
default_environment: dev
environments:
  dev:  {branch: "dev/{user}", from: main, ingest: read_through}
  prod: {branch: main, protected: true, dbt_target: prod,
         lake: {database: "${LAKE_URL}", warehouse: "s3://acme-lake"}, vars: {region: us}}
  ci:
connections:
  shop_db: {type: postgres, host: "${PGHOST:-localhost}", password: "${SHOP_PASSWORD}"}
  landing: {type: s3, bucket: acme-landing, region: eu-west-1}
vars: {region: eu, start: 2013-01-01}
models:
  staging: {materialized: view, tags: [hourly]}
  marts: {tags: daily, owner: a@acme.example}
  marts/finance: {tags: [money], owner: finance@acme.example}
jobs:
  nightly: {select: "+tag:daily", cron: "0 3 * * *", zone: Europe/Berlin, publish: passed,
            retries: 2, alert: [oncall]}
alerts:
  oncall: {type: slack, url: "${SLACK_URL}", on: [failed, late, recovered]}
"""


def settings(text=GRAMMAR, **options):
    return settings_of(load_yaml(text, "mainstem.yml"), **options)


def codes(text, **options):
    with pytest.raises((ConfigInvalid, ErrorGroup)) as caught:
        settings(text, **options)
    return [error.code for error in getattr(caught.value, "errors", [caught.value])]


def test_the_file_of_the_grammar_is_understood():
    shop = settings(version="0.1.3")

    assert (shop.name, shop.include, shop.environment().name) == ("shop", ("transform",), "dev")
    assert shop.environment().branch_for("alice") == "dev/alice"
    prod = shop.environment("prod")
    assert (prod.branch, prod.protected, prod.ingest, prod.dbt_target) == (
        "main",
        True,
        "load",
        "prod",
    )
    assert prod.lake.warehouse == "s3://acme-lake"
    assert shop.jobs["nightly"].options["retries"] == 2


def test_an_environment_without_a_branch_has_the_branch_of_its_name():
    ci = settings().environment("ci")

    assert (ci.branch, ci.branch_from, ci.ingest) == ("ci", "main", "read_through")


def test_variables_of_an_environment_win_over_the_project():
    shop = settings()

    assert shop.environment("prod").vars == {"region": "us", "start": "2013-01-01"}
    assert shop.with_vars({"region": "x"}).environment("prod").vars["region"] == "x"


def test_without_environments_there_is_one_called_local_on_main():
    shop = settings("name: shop")

    local = shop.environment()
    assert (local.name, local.branch, local.ingest) == ("local", "main", "load")


def test_deeper_model_folders_win_and_tags_add_up():
    shop = settings()

    assert shop.model_options("marts/finance/x.sql") == {
        "owner": "finance@acme.example",
        "tags": ["daily", "money"],
    }
    assert shop.model_options("martsx/y.sql") == {}


def test_settings_can_be_kept_in_a_cache():
    shop = settings()

    assert pickle.loads(pickle.dumps(shop)) == shop


def test_an_unknown_environment_is_named_with_the_nearest():
    with pytest.raises(ConfigInvalid) as caught:
        settings().environment("prd")

    assert caught.value.code == "A1020"
    assert caught.value.hint == "Did you mean `prod`?"


def test_all_faults_of_a_file_are_reported_with_their_lines():
    with pytest.raises(ErrorGroup) as caught:
        settings("name: shop\nenviroments: {}\nmodels: 3\njobs:\n  a: {crn: x, retries: -1}\n")

    found = [(error.code, error.where.line, error.hint) for error in caught.value.errors]
    assert found == [
        ("A1010", 2, "Did you mean `environments`?"),
        ("A1011", 3, ""),
        ("A1010", 5, "Did you mean `cron`?"),
        ("A1012", 5, ""),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["A1011"]),
        ("- a", ["A1011"]),
        ("{}", ["A1013"]),
        ("name: 1", ["A1011"]),
        ("name: 1x", ["A1012"]),
        ("name: x\nenvironments: {a: {}, b: {}}", ["A1013"]),
        ("name: x\ndefault_environment: c\nenvironments: {a: {}, b: {}}", ["A1020"]),
        ("name: x\nenvironments: {a: {protected: yes}}", ["A1011"]),
        ("name: x\nenvironments: {a: {branch: 'dev/{who}'}}", ["A1012"]),
        ("name: x\nconnections: {a: {host: b}}", ["A1013"]),
        ("name: x\nrequires_mainstem: 0.1", ["A1011"]),
        ("name: x\nrequires_mainstem: newest", ["A1012"]),
        ("name: x\njobs: {a: {alert: oncal}}\nalerts: {oncall: {type: slack, url: x}}", ["A1012"]),
        ("name: x\nmodels: {staging: {materialised: view}}", ["A1010"]),
        ("name: x\nmodels: {staging: {materialized: veiw}}", ["A1012"]),
    ],
)
def test_what_is_wrong_has_a_code(text, expected):
    assert codes(text) == expected


def test_a_wrong_type_says_what_is_allowed():
    with pytest.raises(ConfigInvalid) as caught:
        settings("name: x\nenvironments: {a: {protected: yes}}")

    assert caught.value.summary == "`protected` is text; allowed is true or false."
    assert "YAML 1.2" in caught.value.hint


@pytest.mark.parametrize(
    ("required", "version", "fits"),
    [
        (">=0.1,<0.2", "0.1.0", True),
        (">=0.1,<0.2", "0.2.0", False),
        ("==0.1.*", "0.1.9", True),
        ("==0.1", "0.2", False),
        ("!=0.1.3", "0.1.3", False),
        ("~=0.1.2", "0.1.9", True),
        ("~=0.1.2", "0.2.0", False),
        (">0.1", "0.1.0", False),
        ("<=1", "1.0.0", True),
        (">=0.1", "0.1.0.dev3", True),
    ],
)
def test_the_needed_version_is_compared(required, version, fits):
    text = f'name: x\nrequires_mainstem: "{required}"\n'

    if fits:
        assert settings(text, version=version).requires_mainstem == required
    else:
        assert codes(text, version=version) == ["A1021"]


def test_a_folder_without_the_file_is_no_project(tmp_path):
    with pytest.raises(ConfigInvalid) as caught:
        load_settings(tmp_path)

    assert caught.value.code == "A1027"
