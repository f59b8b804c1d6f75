"""Personal data: what is found by name and values, what looks like it and is not, how much of both."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.profiling.personal import (
    CONFIDENT,
    KINDS,
    STARTS,
    Personal,
    find_personal,
    is_to_be_hidden,
    starts_as,
)
from datasets.profiling.personal_names import NAMES, find_named, split_words
from datasets.tests.personal_columns import (
    ORDINARY,
    PERSONAL,
    Make,
    Maker,
    among,
    column_of,
    counting,
    in_array,
    in_json,
    make_cases,
    make_values,
)

NOT_FOUND = {"ssn_last4", "caller_number"}  # part of a number; bare digits without a name that says telephone
CANARY = "canary.7319@secret-bird.example"


def find(name: str, make: Make, data_type: str = "text", *, comment: str = "", wrong: float = 0.0) -> Personal | None:
    return find_personal(column_of(name, data_type, comment), make_values(make, wrong=wrong))


@pytest.mark.parametrize(
    ("kind", "name", "data_type", "make"), PERSONAL, ids=lambda part: part if isinstance(part, str) else "values"
)
def test_finds_each_kind(kind: str, name: str, data_type: str, make: Make, request: pytest.FixtureRequest) -> None:
    if name in NOT_FOUND:
        request.applymarker(pytest.mark.xfail(reason="known not to be found", strict=True))

    found = find(name, make, data_type)

    assert found is not None
    assert (found.kind, starts_as(found)) == (kind, STARTS[kind])


@pytest.mark.parametrize(
    ("name", "data_type", "make"), ORDINARY, ids=lambda part: part if isinstance(part, str) else "values"
)
def test_leaves_lookalikes_visible(name: str, data_type: str, make: Make) -> None:
    assert starts_as(find(name, make, data_type)) == "visible"


def test_finds_most_and_little_else() -> None:
    cases = make_cases()
    found = {case for case in cases if starts_as(find_personal(case.column, case.values)) != "visible"}
    personal = {case for case in cases if case.kind}

    assert len(personal) >= 60
    assert len(cases) - len(personal) >= 120
    assert len(found & personal) / len(found) >= 0.95  # precision
    assert len(found & personal) / len(personal) >= 0.95  # recall


def test_a_name_without_such_values_is_a_weak_sign() -> None:
    found = find("email", among("red", "green", "blue"))

    assert found is not None
    assert found.confidence < CONFIDENT
    assert found.reason == "named like an e-mail address, but 0 % of 287 values are valid ones"


def test_values_without_a_name_are_a_strong_sign() -> None:
    found = find("x7", Maker.email, wrong=0.05)

    assert found is not None
    assert found.confidence > 0.9
    assert 0.9 < found.share < 0.99
    assert found.reason == "not named like an e-mail address, but 94 % of 287 values are valid ones"


@pytest.mark.parametrize("name", ["email", "mob_no", "dob", "aadhaar", "surname", "addr1"])
@pytest.mark.parametrize("values", [[], [None, None], ["", "  "]], ids=["none", "null", "blank"])
def test_a_column_without_values_is_judged_by_its_name(name: str, values: list[str | None]) -> None:
    found = find_personal(column_of(name), values)

    assert starts_as(found) != "visible"
    assert found is not None
    assert found.reason.endswith("no value is known")


def test_a_few_addresses_among_other_values_are_enough() -> None:
    assert starts_as(find("handle_or_mail", lambda m: m.choice("x", "y", "z", m.email()))) == "hidden"


def test_one_row_with_an_email_is_enough() -> None:
    assert starts_as(find_personal(column_of("v"), ["jane@example.org"])) == "hidden"


@pytest.mark.parametrize("length", range(4, 20))
@pytest.mark.parametrize("data_type", ["bigint", "text"])
def test_random_digits_are_no_persons(length: int, data_type: str) -> None:
    assert starts_as(find("ref", lambda m: str(m.random.randrange(10 ** (length - 1), 10**length)), data_type)) == (
        "visible"
    )


@given(seed=st.integers(0, 10**6), length=st.sampled_from([9, 10, 11, 12, 13, 15, 16]), rows=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_no_draw_of_random_digits_is_a_person(seed: int, length: int, rows: int) -> None:
    maker = Maker()
    maker.random.seed(seed)

    found = find_personal(column_of("code"), [maker.digits(length) for _ in range(rows)])

    assert starts_as(found) == "visible"


@given(start=st.integers(1, 10**16), step=st.integers(1, 900))
@settings(max_examples=60, deadline=None)
def test_what_counts_up_is_a_key(start: int, step: int) -> None:
    make = counting(start, step)

    assert starts_as(find("key", make, "bigint")) == "visible"


def test_a_valid_number_that_is_repeated_proves_nothing() -> None:
    assert starts_as(find("segment", among("234567890124", "668157909226"), "bigint")) == "visible"


def test_cards_that_are_sorted_are_still_cards() -> None:
    values = sorted(Maker.card(maker) for maker in [Maker()] * 300)

    assert starts_as(find_personal(column_of("q4"), values)) == "hidden"


@given(text=st.text(max_size=100))
@settings(max_examples=200, deadline=None)
def test_judges_any_text(text: str) -> None:
    for name in ("x", "email", "phone", "name", "dob", "iban", "ip", "national_id", "lat", "comment"):
        find_personal(column_of(name), [text, None])


@given(text=st.text(max_size=100), data_type=st.sampled_from(["jsonb", "text[]", "numeric(10,2)", "point", "inet"]))
@settings(max_examples=100, deadline=None)
def test_judges_any_text_of_any_type(text: str, data_type: str) -> None:
    find_personal(column_of("email", data_type), [text])


@pytest.mark.parametrize("data_type", ["boolean", "bytea", "interval", "boolean[]", "tsvector", "bit(8)"])
def test_passes_over_types_that_hold_no_text(data_type: str) -> None:
    assert find_personal(column_of("email", data_type), ["t"]) is None


def test_finds_what_is_deep_in_json_that_is_cut_off() -> None:
    make = in_json(user=lambda m: "x" * 5, mail=Maker.email, padding=lambda m: "y" * 100)

    found = find("event", make, "jsonb")

    assert found is not None
    assert found.kind == "email"
    assert found.reason.startswith("inside its JSON: ")


def test_finds_people_who_are_keys_of_json() -> None:
    found = find("seen", lambda m: json.dumps({m.email(): 3}), "jsonb")

    assert starts_as(found) == "hidden"


def test_finds_json_in_a_column_of_texts() -> None:
    assert starts_as(find("raw", in_json(mobileNo=Maker.mobile_in))) == "hidden"


def test_finds_strings_in_json_arrays() -> None:
    assert starts_as(find("seen", lambda m: json.dumps([m.email(), m.email()]), "json")) == "hidden"


def test_a_comment_says_what_a_name_does_not() -> None:
    assert starts_as(find("c12", Maker.mobile_in, comment="Mobile number")) == "hidden"
    assert starts_as(find("c12", among("yes", "no"), comment="Mobile number")) == "visible"


def test_a_name_of_things_clears_coordinates_and_texts() -> None:
    assert starts_as(find("venue_location", Maker.pair)) == "visible"
    assert starts_as(find("product_description", Maker.text)) == "visible"


@pytest.mark.parametrize(
    ("data_type", "make"),
    [
        ("text", lambda m: CANARY),
        ("text", lambda m: f"{m.text()[:50]} {CANARY}"),
        ("text[]", lambda m: in_array(CANARY, CANARY)),
        ("jsonb", in_json(mail=lambda m: CANARY)),
        ("jsonb", lambda m: json.dumps({CANARY: 1})),
    ],
    ids=["text", "words", "array", "json", "key"],
)
@pytest.mark.parametrize("name", ["x7", "email", "comments", "full_name", "phone", "ip"])
def test_says_nothing_that_quotes_a_value(name: str, data_type: str, make: Make) -> None:
    found = find(name, make, data_type)

    assert found is not None
    assert "7319" not in repr(found)
    assert "canary" not in found.reason
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("homePhoneNo2", "phone"),
        ("HOME_PHONE_NO", "phone"),
        ("homephone", None),
        ("EmailAddress", "email"),
        ("email_id", "email"),
        ("mail_count", None),
        ("FECHA_DE_NACIMIENTO", "birth_date"),
        ("STRASSE", "address"),
        ("Straße", "address"),
        ("телефон", "phone"),
        ("手机号", "phone"),
        ("customer names", "name"),
        ("latest", None),
        ("phase", None),
        ("company_pan", None),
    ],
)
def test_reads_names_of_any_style(name: str, kind: str | None) -> None:
    assert (find_named(name) or (None,))[0] == kind


def test_splits_names_into_words() -> None:
    assert split_words("custEmailID2") == ("customer", "email", "id")
    assert split_words("CUST_EMAIL_ID") == ("customer", "email", "id")
    assert split_words("IPAddress") == ("ip", "address")


def test_every_kind_starts_somewhere_and_has_names() -> None:
    assert {kind.name for kind in KINDS} == set(STARTS)
    assert {kind.named or kind.name for kind in KINDS} == set(NAMES)


def test_what_is_not_sure_is_not_hidden() -> None:
    assert not is_to_be_hidden(Personal("email", 0.49, "", 0.4))
    assert is_to_be_hidden(Personal("email", 0.5, "", 0.4))
    assert not is_to_be_hidden(Personal("ip", 0.9, "", 0.9))
    assert starts_as(Personal("ip", 0.9, "", 0.9)) == "masked"
    assert starts_as(None) == "visible"
