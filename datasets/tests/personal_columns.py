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
