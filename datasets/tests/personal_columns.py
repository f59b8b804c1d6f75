"""Columns as they are found in real schemas, with made-up values: seeded, so that what is measured on them repeats."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import phonenumbers
from stdnum import ean, luhn, verhoeff
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.iso7064 import mod_97_10
from stdnum.pl import pesel

from datasets.profiling.introspection import FoundColumn

ROWS: Final = 300
FIRST: Final = """Priya Arjun Kavya Rohan Lakshmi Olivia Noah Emily Jürgen Anna Stefan Ursula Marie Antoine Chloé
    Lucía Diego José Giulia Matteo João Beatriz Fatima Yusuf Ayşe Mehmet Ingrid Lars Adaeze Chinedu Wanjiru Thandiwe
    Nguyen Minh Siti Agung Ewa Piotr Zsófia Ondřej"""
LAST: Final = """Sharma Patel Iyer Nair Reddy Banerjee Smith O'Brien Johnson Williams Müller Schmidt Weber Krüger Dupont
    Lefèvre Moreau García Fernández Rossi Ferrari Silva Santos Khan Yılmaz Öztürk Larsson Okafor Eze Kamau Dlamini
    Tran Wijaya Kowalski Nowak Szabó Novák van_Dijk de_Souza"""
STREETS: Final = ("MG Road", "Station Road", "High Street", "Hauptstraße", "rue de la Paix", "Calle Mayor", "Via Roma")
TOWNS: Final = ("Pune", "Mumbai", "Leeds", "Berlin", "Lyon", "Sevilla", "Torino", "São Paulo", "Austin", "Kraków")
SENTENCES: Final = (
    "the delivery came far too late and nobody called me back",
    "I would like the app to open faster",
    "staff was friendly but the queue took an hour",
    "please stop sending messages every single day",
    "my daughter was ill so we stayed at home",
    "it broke after a week and I want my money back",
    "could not find the button to cancel the order",
    "we moved house in spring and have not been back since",
    "good value although the box was damaged",
    "ask for my neighbour if nobody opens",
    "it rained and the parcel stood outside",
    "thanks to the lady at the counter",
)


@dataclass
class Maker:
    """Makes values; every one from the same random numbers."""

    random: random.Random = field(default_factory=lambda: random.Random(20260701))

    def digits(self, count: int) -> str:
        return "".join(self.random.choices(string.digits, k=count))

    def letters(self, count: int) -> str:
        return "".join(self.random.choices(string.ascii_uppercase, k=count))

    def first(self) -> str:
        return self.random.choice(FIRST.split())

    def last(self) -> str:
        return self.random.choice(LAST.split()).replace("_", " ")

    def full_name(self) -> str:
        return f"{self.first()} {self.last()}"

    def email(self) -> str:
        name = self.random.choice(("jane", "rohan", "a.kumar", "info+shop", "marie-claire", "x_y"))
        return f"{name}{self.digits(3)}@{self.random.choice(('gmail.com', 'firma.de', 'mail.co.in', 'exemplo.com.br'))}"

    def mobile_in(self) -> str:
        return self._phone("IN", lambda: self.random.choice("6789") + self.digits(9))

    def phone_us(self) -> str:
        number = self._phone("US", lambda: self.digits(10))
        return f"({number[:3]}) {number[3:6]}-{number[6:]}"

    def phone_de(self) -> str:
        return self._phone("DE", lambda: f"017{self.random.randrange(10)} {self.digits(7)}")

    def phone_world(self) -> str:
        region = self.random.choice(("IN", "US", "GB", "FR", "BR"))
        number = self._phone(region, lambda: self.digits(self.random.randrange(9, 12)))
        parsed = phonenumbers.parse(number, region)
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)

    def _phone(self, region: str, make: Callable[[], str]) -> str:
        while True:
            number = make()
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return number

    def card(self) -> str:
        body = self.random.choice(("4", "51", "55", "6011", "37", "6522"))
        body += self.digits((14 if body == "37" else 15) - len(body))
        return body + luhn.calc_check_digit(body)

    def aadhaar(self) -> str:
        body = self.random.choice("23456789") + self.digits(10)
        return body + verhoeff.calc_check_digit(body)

    def pan(self) -> str:
        return self.letters(3) + self.random.choice("PCHF") + self.letters(1) + f"{self.random.randrange(1, 9999):04}K"

    def ssn(self) -> str:
        make = self.random.randrange
        return f"{make(100, 600)}-{make(10, 99)}-{make(1000, 9999)}"

    def nino(self) -> str:
        return (
            f"{self.random.choice('ABCEHJ')}{self.random.choice('ABCEHJ')}{self.digits(6)}{self.random.choice('ABCD')}"
        )

    def iban(self) -> str:
        account = self.digits(18)
        return "DE" + mod_97_10.calc_check_digits(account + "DE") + account

    def imei(self) -> str:
        body = "35" + self.digits(12)
        return body + luhn.calc_check_digit(body)

    def mac(self) -> str:
        return ":".join(f"{self.random.randrange(256):02x}" for _ in range(6))

    def ip(self) -> str:
        return ".".join(str(self.random.randrange(1, 255)) for _ in range(4))

    def uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def passport(self) -> str:
        return self.letters(1) + self.digits(7)

    def dni(self) -> str:
        body = self.digits(8)
        return body + dni.calc_check_digit(body)

    def nir(self) -> str:
        body = f"{self.random.choice('12')}{self.digits(2)}{self.random.randrange(1, 13):02}75{self.digits(6)}"
        return body + nir.calc_check_digits(body)

    def cpf(self) -> str:
        body = [self.random.randrange(10) for _ in range(9)]
        for length in (10, 11):
            body.append(sum(digit * (length - place) for place, digit in enumerate(body)) * 10 % 11 % 10)
        text = "".join(map(str, body))
        return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"

    def pesel(self) -> str:
        born = self.birth_date().replace("-", "")
        body = born[2:4] + (born[4:6] if born < "2000" else f"{int(born[4:6]) + 20}") + born[6:] + self.digits(4)
        return body + pesel.calc_check_digit(body)

    def birth_date(self) -> str:
        return str(date(1940, 1, 1) + timedelta(days=self.random.randrange(25_000)))

    def address(self) -> str:
        return f"{self.random.randrange(1, 400)} {self.random.choice(STREETS)}, {self.random.choice(TOWNS)}"

    def latitude(self) -> str:
        return f"{self.random.uniform(8, 37):.6f}"

    def longitude(self) -> str:
        return f"{self.random.uniform(68, 97):.5f}"

    def pair(self) -> str:
        return f"{self.latitude()}, {self.longitude()}"

    def text(self) -> str:
        return ". ".join(self.random.sample(SENTENCES, 3))

    def handle(self) -> str:
        return f"{self.first().lower()}_{self.digits(2)}"

    def number(self, low: int, high: int) -> str:
        return str(self.random.randrange(low, high))

    def money(self) -> str:
        return f"{self.random.lognormvariate(4, 1):.2f}"

    def choice(self, *values: str) -> str:
        return self.random.choice(values)

    def ean(self) -> str:
        body = "890" + self.digits(9)
        return body + ean.calc_check_digit(body)

    def moment(self) -> str:
        day = date(2025, 1, 1) + timedelta(days=self.random.randrange(500))
        return f"{day} {self.random.randrange(24):02}:{self.random.randrange(60):02}:{self.random.randrange(60):02}+00"


Make = Callable[[Maker], str]


@dataclass(frozen=True)
class Case:
    """`kind` is "" for an ordinary column."""

    kind: str
    column: FoundColumn
    values: tuple[str | None, ...]


def column_of(name: str, data_type: str = "text", comment: str = "") -> FoundColumn:
    return FoundColumn(1, name, data_type, nullable=True, comment=comment)


def make_values(make: Make, *, rows: int = ROWS, nulls: float = 0.05, wrong: float = 0.0) -> tuple[str | None, ...]:
    """`wrong` is the share of values that are somebody's typing errors."""
    maker = Maker()
    return tuple(_spoil(maker, make(maker)[:100], nulls=nulls, wrong=wrong) for _ in range(rows))


def _spoil(maker: Maker, value: str, *, nulls: float, wrong: float) -> str | None:
    chance = maker.random.random()
    return None if chance < nulls else "n/a" if chance < nulls + wrong else value


def in_json(**makes: Make) -> Make:
    return lambda maker: json.dumps({"v": 2, **{key: make(maker) for key, make in makes.items()}})


def in_array(*values: str) -> str:
    return "{" + ",".join(values) + "}"


# kind, name, type, value
PERSONAL: Final[tuple[tuple[str, str, str, Make], ...]] = (
    ("email", "email", "character varying(255)", Maker.email),
    ("email", "emailAddress", "text", Maker.email),
    ("email", "cust_eml", "text", Maker.email),
    ("email", "EMAIL_ID", "text", Maker.email),
    ("email", "correo_electronico", "text", Maker.email),
    ("email", "x7", "text", Maker.email),
    ("email", "created_by", "text", Maker.email),
    ("email", "emails", "text[]", lambda m: in_array(m.email(), m.email())),
    ("email", "payload", "jsonb", in_json(plan=lambda m: m.choice("a", "b"), contact=Maker.email)),
    ("email", "login", "citext", lambda m: m.choice(m.email(), m.handle())),
    ("phone", "mob_no", "text", Maker.mobile_in),
    ("phone", "mobile", "bigint", Maker.mobile_in),
    ("phone", "ph", "character varying(20)", Maker.mobile_in),
    ("phone", "homePhone", "text", Maker.phone_us),
    ("phone", "telefonnummer", "text", Maker.phone_de),
    ("phone", "celular", "text", Maker.phone_world),
    ("phone", "whatsapp_number", "text", Maker.phone_world),
    ("phone", "field_12", "text", Maker.phone_world),
    ("phone", "c3", "text", Maker.phone_us),
    ("phone", "attributes", "jsonb", in_json(score=lambda m: m.digits(2), mobileNo=Maker.mobile_in)),
    ("phone", "emergency_contact_no", "text", lambda m: m.choice(m.mobile_in(), m.digits(8))),
    ("card", "card_number", "text", Maker.card),
    ("card", "cc_num", "numeric", Maker.card),
    ("card", "q4", "text", Maker.card),
    ("card", "credit_card_no", "text", lambda m: "XXXX-XXXX-XXXX-" + m.digits(4)),
    ("aadhaar", "aadhaar_no", "text", Maker.aadhaar),
    ("aadhaar", "adhaar", "bigint", Maker.aadhaar),
    ("aadhaar", "ref_3", "bigint", Maker.aadhaar),
    ("pan", "pan_no", "text", Maker.pan),
    ("pan", "kyc_value", "text", Maker.pan),
    ("ssn", "ssn", "text", Maker.ssn),
    ("ssn", "social_security_number", "integer", lambda m: m.ssn().replace("-", "")),
    ("ssn", "code_2", "text", Maker.ssn),
    ("nino", "ni_number", "text", Maker.nino),
    ("iban", "iban", "text", Maker.iban),
    ("iban", "account", "text", Maker.iban),
    ("passport", "passport_no", "text", Maker.passport),
    ("passport", "reisepassnummer", "text", Maker.passport),
    ("national_id", "dni", "text", Maker.dni),
    ("national_id", "cpf", "text", Maker.cpf),
    ("national_id", "documento", "text", Maker.cpf),
    ("national_id", "num_secu", "text", Maker.nir),
    ("national_id", "PESEL", "text", Maker.pesel),
    ("national_id", "identifier", "text", Maker.nir),
    ("name", "first_name", "text", Maker.first),
    ("name", "LastName", "text", Maker.last),
    ("name", "surname", "character varying(80)", lambda m: m.last().upper()),
    ("name", "full_name", "text", Maker.full_name),
    ("name", "cust_nm", "text", Maker.full_name),
    ("name", "vorname", "text", Maker.first),
    ("name", "Nachname", "text", Maker.last),
    ("name", "prénom", "text", Maker.first),
    ("name", "nom", "text", Maker.last),
    ("name", "apellidos", "text", lambda m: f"{m.last()} {m.last()}"),
    ("name", "name", "text", Maker.full_name),
    ("name", "father_name", "text", Maker.full_name),
    ("name", "sobrenome", "text", Maker.last),
    ("name", "soyadı", "text", Maker.last),
    ("address", "address_line1", "text", Maker.address),
    ("address", "addr1", "text", Maker.address),
    ("address", "billingStreet", "text", Maker.address),
    ("address", "adresse", "text", Maker.address),
    ("address", "endereço", "text", Maker.address),
    ("address", "permanent_address", "text", Maker.address),
    ("postal_code", "pincode", "integer", lambda m: m.number(110001, 855999)),
    ("postal_code", "plz", "character(5)", lambda m: m.digits(5)),
    ("postal_code", "zip_code", "text", lambda m: m.digits(5)),
    ("postal_code", "codigo_postal", "text", lambda m: m.digits(5)),
    ("coordinates", "latitude", "double precision", Maker.latitude),
    ("coordinates", "geo_lng", "numeric(9,6)", Maker.longitude),
    ("coordinates", "last_location", "text", Maker.pair),
    ("coordinates", "home_position", "point", lambda m: f"({m.pair().replace(' ', '')})"),
    ("birth_date", "dob", "date", Maker.birth_date),
    ("birth_date", "date_of_birth", "timestamp without time zone", lambda m: m.birth_date() + " 00:00:00"),
    ("birth_date", "geburtsdatum", "text", lambda m: ".".join(reversed(m.birth_date().split("-")))),
    ("birth_date", "fecha_nacimiento", "date", Maker.birth_date),
    ("ip", "ip_address", "inet", Maker.ip),
    ("ip", "client_ip", "text", Maker.ip),
    ("ip", "origin", "text", Maker.ip),
    ("mac", "mac", "macaddr", Maker.mac),
    ("mac", "station_key", "text", Maker.mac),
    ("imei", "imei", "text", Maker.imei),
    ("imei", "device_imei_no", "bigint", Maker.imei),
    ("device_id", "gaid", "uuid", Maker.uuid),
    ("device_id", "advertising_id", "text", Maker.uuid),
    ("free_text", "comments", "text", Maker.text),
    ("free_text", "q17_other_specify", "text", Maker.text),
    ("free_text", "bemerkungen", "text", Maker.text),
    ("free_text", "q9_v", "text", Maker.text),
    ("username", "user_name", "text", Maker.handle),
    # written down after the rules, to see how strange names fare
    ("email", "usr_mail_addr", "text", Maker.email),
    ("email", "billing_contact", "text", Maker.email),
    ("email", "eMail2", "text", Maker.email),
    ("phone", "cntct_mob", "text", Maker.mobile_in),
    ("phone", "hp_no", "text", Maker.mobile_in),
    ("phone", "landline", "text", lambda m: "022-2" + m.digits(7)),
    ("phone", "phone1_number", "text", lambda m: "0" + m.mobile_in()),
    ("phone", "nomor_hp", "text", Maker.phone_world),
    ("phone", "tfno_movil", "text", Maker.phone_us),
    ("name", "pax_name", "text", Maker.full_name),
    ("name", "nm_cliente", "text", Maker.full_name),
    ("name", "f_name", "text", Maker.first),
    ("name", "firstname_lastname", "text", Maker.full_name),
    ("name", "ship_to_name", "text", Maker.full_name),
    ("name", "resp_nm", "text", Maker.full_name),
    ("name", "kontaktperson", "text", Maker.full_name),
    ("name", "contact", "text", Maker.full_name),
    ("name", "manager", "text", Maker.full_name),
    ("name", "nome", "text", Maker.full_name),
    ("name", "ansprechpartner", "text", Maker.full_name),
    ("address", "addr_l1", "text", Maker.address),
    ("address", "ship_addr", "text", Maker.address),
    ("address", "shipping_address_1", "text", Maker.address),
    ("address", "house_no_street", "text", Maker.address),
    ("address", "dirección", "text", Maker.address),
    ("address", "residential_addr", "text", Maker.address),
    ("postal_code", "zip5", "text", lambda m: m.digits(5)),
    ("postal_code", "postal_cd", "text", lambda m: m.digits(5)),
    ("postal_code", "shipping_zip", "text", lambda m: m.digits(5)),
    ("coordinates", "start_lat", "text", Maker.latitude),
    ("coordinates", "pickup_longitude", "text", Maker.longitude),
    ("coordinates", "latlong", "text", Maker.pair),
    ("birth_date", "birth_dt", "text", Maker.birth_date),
    ("birth_date", "d_o_b", "text", Maker.birth_date),
    ("birth_date", "data_nasc", "text", Maker.birth_date),
    ("birth_date", "birth", "text", Maker.birth_date),
    ("ip", "ipaddr", "text", Maker.ip),
    ("ip", "user_ip", "text", Maker.ip),
    ("ip", "last_login_ip", "text", Maker.ip),
    ("card", "cardno", "text", Maker.card),
    ("card", "payment_instrument", "text", Maker.card),
    ("aadhaar", "uid", "text", Maker.aadhaar),
    ("pan", "pan", "text", Maker.pan),
    ("ssn", "ssn_last4", "text", lambda m: m.digits(4)),
    ("ssn", "tin", "text", Maker.ssn),
    ("device_id", "device_ifa", "text", Maker.uuid),
    ("device_id", "adv_id", "text", Maker.uuid),
    ("device_id", "idfa_raw", "text", lambda m: m.uuid().upper()),
    ("free_text", "customer_comments", "text", Maker.text),
    ("free_text", "open_text", "text", Maker.text),
    ("free_text", "nps_reason", "text", Maker.text),
    ("username", "handle", "text", Maker.handle),
    ("national_id", "nif", "text", Maker.dni),
    ("national_id", "cpf_cnpj", "text", Maker.cpf),
    ("iban", "bank_account", "text", Maker.iban),
    ("phone", "raw", "text", in_json(phone=Maker.mobile_in)),
    ("passport", "pass_no", "text", Maker.passport),
    ("email", "to_addr", "text", Maker.email),
    ("email", "mailadresse", "text", Maker.email),
    ("email", "WorkEMail", "text", Maker.email),
    ("phone", "alt_ph_no", "text", Maker.mobile_in),
    ("phone", "ContactMobile", "text", Maker.mobile_in),
    ("phone", "rufnummer", "text", Maker.phone_de),
    ("phone", "tel_domicile", "text", Maker.phone_us),
    ("phone", "caller_number", "text", Maker.mobile_in),
    ("phone", "fone", "text", Maker.phone_us),
    ("name", "hoh_name", "text", Maker.full_name),
    ("name", "interviewer_name", "text", Maker.full_name),
    ("name", "kundenname", "text", Maker.full_name),
    ("name", "nom_prenom", "text", Maker.full_name),
    ("name", "last_nm", "text", Maker.last),
    ("name", "ownerFullName", "text", Maker.full_name),
    ("name", "beneficiario", "text", Maker.full_name),
    ("name", "client", "text", Maker.full_name),
    ("name", "payee", "text", Maker.full_name),
    ("name", "name_first", "text", Maker.first),
    ("address", "res_addr", "text", Maker.address),
    ("address", "adr_line_2", "text", Maker.address),
    ("address", "wohnort_strasse", "text", Maker.address),
    ("address", "shipToAddress", "text", Maker.address),
    ("address", "domicilio", "text", Maker.address),
    ("postal_code", "post_cd", "text", lambda m: m.digits(5)),
    ("postal_code", "delivery_postcode", "text", lambda m: m.digits(5)),
    ("coordinates", "gps_lat", "text", Maker.latitude),
    ("coordinates", "y_coord", "text", Maker.latitude),
    ("coordinates", "home_lon", "text", Maker.longitude),
    ("birth_date", "birth_day", "text", Maker.birth_date),
    ("birth_date", "dateNaissance", "text", Maker.birth_date),
    ("birth_date", "member_dob", "text", Maker.birth_date),
    ("ip", "ip", "text", Maker.ip),
    ("ip", "visitor_addr", "text", Maker.ip),
    ("card", "pan_number", "text", Maker.card),
    ("aadhaar", "aadhar_card_number", "text", Maker.aadhaar),
    ("ssn", "social_sec_no", "text", Maker.ssn),
    ("device_id", "device_advertising_id", "text", Maker.uuid),
    ("free_text", "additional_comments", "text", Maker.text),
    ("free_text", "answer_open", "text", Maker.text),
    ("national_id", "voter_id_no", "text", Maker.dni),
    ("iban", "kontonummer", "text", Maker.iban),
)


def counting(start: int, step: int = 1) -> Make:
    """Values that count up; one maker makes one column."""
    counters: dict[int, int] = {}

    def make(maker: Maker) -> str:
        counters[id(maker)] = counters.get(id(maker), start - step) + step
        return str(counters[id(maker)])

    return make


def among(*values: str) -> Make:
    return lambda maker: maker.choice(*values)


def between(low: int, high: int) -> Make:
    return lambda maker: maker.number(low, high)


CATEGORIES: Final = among("Beverages", "Personal care", "Dairy", "Snacks", "Baby care", "Pet food")
PRODUCTS: Final = among(
    "Samsung Galaxy S24", "Parle-G Gold", "Surf Excel", "Amazon Prime Video", "Thums Up", "Nivea Men"
)
STATES: Final = among("West Bengal", "Tamil Nadu", "Uttar Pradesh", "Goa", "Bayern", "North Carolina", "Île-de-France")
YES_NO: Final = among("Yes", "No")
FLAGS: Final = among("t", "f")

ORDINARY: Final[tuple[tuple[str, str, Make], ...]] = (
    ("id", "bigint", counting(1)),
    ("user_id", "bigint", counting(100_000, 3)),
    ("order_id", "bigint", counting(234_567_890_123)),
    ("order_no", "text", counting(4_111_111_111_111_111, 7)),
    ("account_id", "bigint", counting(9_000_000_000, 11)),
    ("respondent_id", "bigint", between(10**9, 10**10)),
    ("panelist", "bigint", between(6 * 10**9, 10**10)),
    ("external_ref", "text", between(10**11, 10**12)),
    ("txn_ref", "bigint", between(2 * 10**11, 10**12)),
    ("transaction_id", "bigint", between(4 * 10**15, 5 * 10**15)),
    ("batch", "integer", between(10**8, 10**9)),
    ("session_number", "bigint", between(10**14, 10**15)),
    ("household_id", "text", lambda m: "HH" + m.digits(8)),
    ("event_uuid", "uuid", Maker.uuid),
    ("session_id", "text", Maker.uuid),
    ("request_id", "text", lambda m: m.uuid().replace("-", "")),
    ("created_at", "timestamp with time zone", Maker.moment),
    ("updated_at", "timestamp with time zone", Maker.moment),
    ("event_date", "date", lambda m: m.moment()[:10]),
    ("order_day", "text", lambda m: m.moment()[:10]),
    ("ts", "bigint", between(1_700_000_000, 1_790_000_000)),
    ("event_time_ms", "bigint", between(1_700_000_000_000, 1_790_000_000_000)),
    ("date_key", "integer", lambda m: m.moment()[:10].replace("-", "")),
    ("month", "text", lambda m: m.moment()[:7]),
    ("year", "integer", between(1950, 2026)),
    ("birth_year", "integer", between(1940, 2010)),
    ("anio", "smallint", between(2000, 2026)),
    ("weight", "numeric", lambda m: f"{m.random.lognormvariate(0, 0.5):.6f}"),
    ("weight_final", "double precision", lambda m: f"{m.random.uniform(0.2, 4):.14f}"),
    ("gewicht", "numeric", Maker.money),
    ("population_weight", "bigint", between(1_000_000, 9_999_999)),
    ("price", "numeric(10,2)", Maker.money),
    ("unit_price", "numeric", Maker.money),
    ("preis", "numeric", Maker.money),
    ("total_spend_inr", "bigint", between(1_000, 10_000_000)),
    ("amount_minor", "bigint", between(10**9, 10**11)),
    ("income", "integer", between(10_000, 9_000_000)),
    ("qty", "integer", between(1, 50)),
    ("anzahl", "integer", between(1, 50)),
    ("impressions", "bigint", between(10**6, 10**10)),
    ("views", "bigint", between(10**8, 10**11)),
    ("bytes_sent", "bigint", between(10**8, 10**12)),
    ("duration_ms", "bigint", between(10, 10**8)),
    ("age", "integer", between(15, 90)),
    ("edad", "integer", between(15, 90)),
    ("age_group", "text", among("15-24", "25-34", "35-44", "45+")),
    ("gender", "text", among("Male", "Female", "Other")),
    ("geschlecht", "text", among("m", "w", "d")),
    ("marital_status", "text", among("Married", "Single", "Never married")),
    ("nccs", "text", among("A1", "A2", "B1", "C", "D/E")),
    ("state", "text", STATES),
    ("city", "text", lambda m: m.choice(*TOWNS)),
    ("ville", "text", lambda m: m.choice(*TOWNS)),
    ("country", "text", among("India", "Germany", "United Kingdom", "Brazil")),
    ("country_code", "character(2)", among("IN", "DE", "GB")),
    ("phone_country_code", "text", among("+91", "+49", "+1")),
    ("occupation", "text", among("Teacher", "Software Engineer", "Shop Owner", "Farmer")),
    ("education", "text", among("High School", "Some College", "Illiterate")),
    ("name", "text", PRODUCTS),
    ("nom", "text", among("Boulangerie", "Eau Minérale", "Produits Laitiers", "Fromage Blanc")),
    ("nombre", "text", among("Bebidas Frías", "Cuidado Personal", "Lácteos")),
    ("product_name", "text", PRODUCTS),
    ("produkt_name", "text", PRODUCTS),
    ("brand_name", "text", among("Nestle", "Amul", "Coca Cola", "Tata Motors")),
    ("app_name", "text", among("WhatsApp", "You Tube", "Amazon Prime Video", "Google Pay")),
    ("company_name", "text", among("Tata Motors", "Müller GmbH", "Acme Corp")),
    ("file_name", "text", lambda m: f"report_{m.digits(4)}.pdf"),
    ("campaign_name", "text", among("Summer Sale", "Diwali Offer", "Back to School")),
    ("event_name", "text", among("App Open", "Purchase", "Screen View")),
    ("table_name", "text", among("orders", "users", "events")),
    ("hostname", "text", lambda m: f"web-{m.digits(2)}.example.com"),
    ("department_name", "text", among("Human Resources", "Finance", "Sales")),
    ("category", "text", CATEGORIES),
    ("kategorie", "text", CATEGORIES),
    ("categoria", "text", CATEGORIES),
    (
        "title",
        "text",
        lambda m: f"{m.choice('The', 'A')} {m.choice('Long', 'Quiet', 'Last')} {m.choice('Road', 'Night')}",
    ),
    ("genre", "text", among("Drama", "Comedy", "Stand Up")),
    ("channel", "text", among("Star Plus", "Zee TV", "Sun TV")),
    ("status", "text", among("active", "closed", "pending")),
    ("email_sent", "boolean", FLAGS),
    ("email_opens", "integer", between(0, 20)),
    ("email_count", "integer", between(0, 20)),
    ("email_verified_at", "timestamp with time zone", Maker.moment),
    ("email_status", "text", among("sent", "bounced")),
    ("email_domain", "text", among("gmail.com", "yahoo.co.in", "web.de")),
    ("email_hash", "text", lambda m: m.uuid().replace("-", "")),
    ("phone_type", "text", among("smart", "feature")),
    ("phone_model", "text", among("Galaxy S24", "iPhone 15", "Redmi Note 13")),
    ("mobile", "boolean", FLAGS),
    ("mobile_sessions", "integer", between(0, 500)),
    ("has_phone", "text", YES_NO),
    ("tel_ad_minutes", "integer", between(0, 500)),
    ("ph", "numeric", lambda m: f"{m.random.uniform(5, 9):.2f}"),
    ("address_id", "bigint", between(1, 10**6)),
    ("address_type", "text", among("home", "work")),
    ("ip_version", "text", among("4", "6")),
    ("ip_count", "integer", between(1, 9)),
    ("card_type", "text", among("visa", "mastercard")),
    ("card_id", "integer", between(1, 10**6)),
    ("loyalty_card_level", "text", among("gold", "silver")),
    ("ean", "text", Maker.ean),
    ("gtin", "bigint", Maker.ean),
    ("barcode", "text", Maker.ean),
    ("sku", "text", lambda m: f"{m.letters(3)}-{m.digits(5)}"),
    ("artikelnummer", "text", lambda m: m.digits(7)),
    ("invoice_no", "text", lambda m: f"INV-2026-{m.digits(6)}"),
    ("hsn_code", "text", lambda m: m.digits(8)),
    ("part_number", "text", lambda m: f"{m.letters(5)}{m.digits(4)}{m.letters(1)}"),
    ("app_version", "text", lambda m: ".".join(m.number(0, 30) for _ in range(4))),
    ("os_version", "text", among("14", "13.1.2", "17.4")),
    (
        "user_agent",
        "text",
        lambda m: f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.{m.digits(2)} (KHTML, like Gecko)",
    ),
    ("url", "text", lambda m: f"https://example.com/p/{m.digits(8)}?ref={m.letters(4)}"),
    ("image", "text", lambda m: f"icon{m.digits(2)}@2x.png"),
    ("query", "text", lambda m: f"SELECT count(*) FROM orders WHERE day > '{m.moment()[:10]}' GROUP BY state"),
    (
        "log_line",
        "text",
        lambda m: f"worker {m.digits(2)} took the job from the queue and ended after {m.digits(3)} ms",
    ),
    ("description", "text", Maker.text),
    ("message_code", "text", among("E101", "E102")),
    ("reason", "text", among("The price was too high for what it was", "Could not find the size that was needed")),
    ("server_ip", "text", Maker.ip),
    ("store_latitude", "numeric", Maker.latitude),
    ("lat_bucket", "integer", between(8, 37)),
    ("long", "boolean", FLAGS),
    ("position", "integer", between(1, 40)),
    ("progress", "double precision", lambda m: f"{m.random.random():.6f}"),
    ("score", "real", lambda m: f"{m.random.gauss(0, 1):.5f}"),
    ("ratio", "double precision", lambda m: f"{m.random.uniform(-1, 1):.10f}"),
    ("metadata", "jsonb", in_json(plan=among("free", "paid"), clicks=lambda m: m.digits(3))),
    ("settings", "jsonb", in_json(theme=among("dark", "light"), email_opt_in=among("y", "n"))),
    ("tags", "text[]", lambda m: in_array(CATEGORIES(m), CATEGORIES(m))),
    ("answers", "integer[]", lambda m: in_array(m.digits(1), m.digits(2))),
    ("pin_attempts", "integer", between(0, 4)),
    ("zip_file", "text", lambda m: f"export_{m.digits(3)}.zip"),
    ("note_count", "integer", between(0, 40)),
    ("pan_india", "text", YES_NO),
    ("born_in_state", "text", STATES),
    ("device_id_count", "integer", between(1, 9)),
    ("device_type", "text", among("phone", "tablet", "tv")),
    ("bank_name", "text", among("State Bank", "Deutsche Bank", "HDFC")),
    ("swift", "text", among("HDFCINBB", "DEUTDEFF")),
    ("isin", "text", lambda m: f"INE{m.digits(3)}A{m.digits(5)}"),
    ("color", "text", lambda m: f"#{m.digits(6)}"),
    ("mac_os", "text", YES_NO),
    ("tehsil_code", "text", lambda m: m.digits(5)),
    ("census_code", "bigint", between(10**11, 10**12)),
    # written down after the rules
    ("store_name", "text", among("Big Bazaar", "Carrefour City")),
    ("first_purchase_date", "date", lambda m: m.moment()[:10]),
    ("last_seen", "timestamp with time zone", Maker.moment),
    ("first_channel", "text", among("Google Ads", "Meta")),
    ("street_type", "text", among("Road", "Lane")),
    ("contact_type", "text", among("Owner", "Tenant")),
    ("long_term", "text", YES_NO),
    ("panel", "text", among("Home Panel", "Web Panel")),
    ("comment_id", "bigint", between(1, 10**9)),
    ("nps_comment_length", "integer", between(1, 200)),
    ("surname_missing", "boolean", FLAGS),
    ("customer_segment", "text", among("High Value", "At Risk")),
    ("user_type", "text", among("New", "Returning")),
    ("owner", "text", among("Marketing", "Growth Team")),
    ("agent", "text", among("Chrome Mobile", "Safari")),
    ("author", "text", among("System", "Import Job")),
    ("message_id", "text", lambda m: m.uuid()),
    ("zip", "text", YES_NO),
    ("cell", "text", among("Control", "Treatment A")),
    ("cell_id", "bigint", between(10**7, 10**9)),
    ("tower_lat_bin", "integer", between(8, 30)),
    ("msisdn_hash", "text", lambda m: m.uuid().replace("-", "")),
    ("isbn", "text", lambda m: "978" + m.digits(10)),
    ("vin", "text", lambda m: m.letters(3) + m.digits(14)),
    ("awb", "bigint", between(10**10, 10**11)),
    ("upc", "text", lambda m: m.digits(12)),
    ("pnr", "text", lambda m: m.letters(6)),
    ("voucher", "text", lambda m: m.letters(4) + m.digits(8)),
    ("gst_rate", "numeric", Maker.money),
    ("hh_size", "integer", between(1, 9)),
    ("mother_tongue", "text", among("Hindi", "Tamil", "Marathi")),
    ("language_name", "text", among("Hindi", "Tamil")),
    ("team_name", "text", among("Mumbai Indians", "Royal Challengers")),
    ("show_name", "text", among("Kaun Banega Crorepati", "Friends")),
    ("area", "text", among("Andheri West", "Koramangala")),
    ("ad_name", "text", among("Diwali Sale 30s", "Hero Film")),
    ("ad_id", "bigint", between(10**14, 10**15)),
    ("creative_id", "text", lambda m: m.digits(15)),
    ("note", "text", among("ok", "late", "vip")),
    ("sin", "double precision", lambda m: f"{m.random.uniform(-1, 1):.6f}"),
    ("rut", "text", YES_NO),
    ("location", "text", among("Andheri West", "Koramangala")),
    ("device_id", "integer", between(1, 9000)),
    ("geo", "text", among("IN-MH", "DE-BY")),
    ("mail_type", "text", among("promo", "service")),
    ("name_of_district", "text", among("Pune", "Nagpur")),
    ("district_name", "text", among("Pune", "Nagpur")),
    ("page_title", "text", Maker.text),
    ("headline", "text", Maker.text),
    ("price_history", "numeric[]", lambda m: in_array(m.money(), m.money())),
    ("brand", "text", PRODUCTS),
    ("phone_os", "text", among("Android", "iOS")),
    ("avg_mobile_minutes", "numeric", Maker.money),
    ("address_verified", "boolean", FLAGS),
    ("name_en", "text", CATEGORIES),
    ("contact_count", "integer", between(0, 9)),
    ("agent_code", "text", lambda m: m.digits(6)),
    ("owner_team", "text", among("Growth Team", "Data")),
    ("customer", "text", among("Tata Motors", "Hindustan Unilever")),
    ("client", "text", among("Tata Motors", "Hindustan Unilever")),
    ("author_count", "integer", between(1, 9)),
    ("manager_level", "text", among("L4", "L5")),
    ("birth_country", "text", among("India", "Nepal")),
    ("birth_order", "integer", between(1, 5)),
    ("birth_weight", "numeric", Maker.money),
    ("notes_version", "integer", between(1, 9)),
    ("email_subject", "text", among("Your order has shipped today", "Welcome to the club of readers")),
    ("caption", "text", Maker.text),
    ("position_title", "text", among("Sales Manager", "Data Engineer")),
    ("mobile_network", "text", among("Jio", "Airtel")),
    ("ip_reputation", "numeric", Maker.money),
    ("device_name", "text", among("Galaxy Tab", "Fire Stick")),
    ("card_bin", "text", lambda m: m.digits(6)),
    ("street_count", "integer", between(1, 9)),
    ("long_name", "text", PRODUCTS),
    ("post_id", "bigint", between(10**9, 10**12)),
    ("code_postal_prefix", "text", lambda m: m.digits(2)),
    ("handle_time", "integer", between(1, 900)),
    ("driver", "text", among("Price", "Quality")),
    ("doctor_visits", "integer", between(0, 9)),
    ("patient_id", "bigint", between(10**9, 10**10)),
    ("login_count", "integer", between(0, 99)),
    ("last_login", "timestamp with time zone", Maker.moment),
    ("review_score", "numeric", Maker.money),
    ("body_type", "text", among("SUV", "Sedan")),
)


def make_cases() -> tuple[Case, ...]:
    """Each column with a few NULLs; personal ones with a few typing errors too."""
    personal = (
        Case(kind, column_of(name, data_type), make_values(make, wrong=0.02))
        for kind, name, data_type, make in PERSONAL
    )
    ordinary = (Case("", column_of(name, data_type), make_values(make)) for name, data_type, make in ORDINARY)
    return (*personal, *ordinary)
