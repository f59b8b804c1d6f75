from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from config.errors import DatasetNotFound, InvalidRequest, NameTaken
from datasets.access import KeySpec, Principal, build_key, hash_token, principal_of, verify_token, visible_datasets
from datasets.catalog import EMPTY
from datasets.configuration import update_config
from datasets.keys import create_api_key, find_key, revoke_api_key
from datasets.models import ApiKey
from datasets.publishing import load_catalog, read_version
from datasets.system_config import SECTIONS, build_settings, default_of, parse_section

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.django_db
def test_a_new_key_works_and_only_its_hash_is_stored() -> None:
    token = create_api_key("chat", owner="ana")

    row = ApiKey.objects.get()
    assert token.startswith(f"mcpa_{row.prefix}_")
    assert len(token.split("_", 2)[2]) >= 43  # 256 bits
    assert row.key_hash == hash_token(token)
    assert token.split("_", 2)[2] not in str(ApiKey.objects.values().get())
    key = verify_token(token, load_catalog(EMPTY).keys, now=NOW)
    assert key is not None
    assert principal_of(key).person == "ana"


@pytest.mark.django_db
def test_a_key_changes_the_catalog_version_when_made_and_when_revoked() -> None:
    before = read_version()
    token = create_api_key("chat")
    made = read_version()
    revoke_api_key(ApiKey.objects.get().pk)

    assert before < made < read_version()
    assert verify_token(token, load_catalog(EMPTY).keys, now=NOW) is None
    assert find_key("chat") is None


@pytest.mark.django_db
def test_a_keys_name_is_used_once() -> None:
    create_api_key("chat")

    with pytest.raises(NameTaken):
        create_api_key("chat")


@pytest.mark.django_db
def test_a_grant_names_a_dataset_that_exists() -> None:
    with pytest.raises(DatasetNotFound):
        create_api_key("chat", all_datasets=False, datasets=["nowhere"])


@pytest.mark.parametrize("token", ["", "x", "mcpa", "mcpa_", "mcpa__", "mcpa_00000000_x", "Bearer x", "mcpa_é_ü"])
def test_what_is_no_key_is_no_key(token: str) -> None:
    assert verify_token(token, {}, now=NOW) is None


def test_an_expired_or_altered_key_is_refused() -> None:
    made = build_key()
    spec = KeySpec("chat", made.prefix, made.key_hash, expires_at=NOW)

    assert verify_token(made.token, {made.prefix: spec}, now=NOW - timedelta(seconds=1)) == spec
    assert verify_token(made.token, {made.prefix: spec}, now=NOW) is None
    assert verify_token(made.token + "x", {made.prefix: spec}, now=NOW - timedelta(seconds=1)) is None


def test_a_principal_without_grants_sees_nothing() -> None:
    assert visible_datasets(Principal(), EMPTY) == ()
    assert Principal().datasets == frozenset()


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("key", list(SECTIONS))
def test_every_default_is_valid(key: str) -> None:
    assert parse_section(key, default_of(key)) == SECTIONS[key]()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("query_limits", {"raw_rows": 0}, "raw_rows"),
        ("query_limits", {"rows": 5}, "rows"),
        ("query_limits", [], "query_limits"),
        ("llm_config", {"temperature": 3}, "temperature"),
        ("weighting_rules", {"merges": {"nccs": {"A": ["A", "B"], "B": ["B"]}}}, "more than one class"),
        ("nonsense", {}, "no setting"),
    ],
)
def test_a_faulty_setting_names_its_field(key: str, value: object, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        parse_section(key, value)


@pytest.mark.django_db
def test_a_setting_is_live_with_the_next_catalog() -> None:
    before = read_version()

    update_config("query_limits", {"raw_rows": 7}, actor="ana")

    assert read_version() == before + 1
    assert load_catalog(EMPTY).settings.query_limits.raw_rows == 7
    with pytest.raises(InvalidRequest):
        update_config("query_limits", {"raw_rows": "many"}, actor="ana")


def test_settings_without_rows_stand_at_the_published_defaults() -> None:
    settings, faults = build_settings({})

    assert not faults

    assert (settings.query_limits.raw_rows, settings.query_limits.aggregated_rows) == (5, 1000)
    assert settings.query_limits.parallel_queries == 30
    assert (settings.llm_config.model, settings.llm_config.temperature) == ("gpt-4o-mini", 0.3)
    assert settings.llm_config.max_tokens == 4000
    assert settings.cache_ttl.model_dump() == {"level_0": 3600, "level_1": 1800, "level_2": 900, "level_3": 300}
    assert settings.weighting_rules.merges == {"nccs": {"A": ("A", "A1"), "C/D/E": ("C", "D", "E")}}
