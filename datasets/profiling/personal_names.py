"""What columns with personal data are called, by kind and in several languages; `find_named` reads any style. Pure.

A phrase is found in `home_phone_no`, `homePhoneNo` and `HOMEPHONENO2` alike, accents or not. A phrase that begins with
"=" is too short or too common to be found amid other words: beside it only words of `WHOSE` may stand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Final


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.replace("\n", " ").split(","))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# the first kind whose phrase is found wins: `email_address` is no address
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "email": _phrases("""
        email, e mail, eml, mail address, mail id, mail addr, =mail, correo, correo electronico, courriel,
        adresse mel, =mel, epost, indirizzo mail, posta elettronica, почта, эл почта, 邮箱, メール, ईमेल"""),
    "ip": _phrases("""
        ip address, ip addr, ipaddr, =ip, ipv4, ipv6, client ip, remote ip, remote addr, source ip, src ip,
        last ip, login ip, x forwarded for, adresse ip, direccion ip"""),
    "mac": _phrases("mac address, mac addr, =mac, wifi mac, bt mac, bssid, adresse mac"),
    "imei": _phrases("imei"),
    "device_id": _phrases("""
        advertising id, advertiser id, ad id, adid, gaid, aaid, idfa, idfv, =ifa, =maid, rida, tifa, device id,
        deviceid, device uuid, device udid, udid, android id, vendor id for advertisers, device fingerprint,
        push token, device token, geraete id"""),
    "aadhaar": _phrases("aadhaar, aadhar, adhaar, aadhaar no, uidai, =uid no, आधार"),
    "pan": _phrases("=pan, pan no, pan number, pan card, pancard, permanent account number"),
    "ssn": _phrases("ssn, social security, social security number, soc sec, socsec"),
    "nino": _phrases("nino, national insurance, ni number, =ni no"),
    "iban": _phrases("iban, bank account iban, =kontonummer"),
    "card": _phrases("""
        credit card, card number, card no, card num, cc number, cc num, cc no, debit card, ccnum, =cc, pan masked,
        kreditkarte, kartennummer, kreditkartennummer, numero tarjeta, tarjeta credito, carte bancaire,
        numero carte, numero cartao, cartao credito"""),
    "passport": _phrases("""
        passport, passport no, passport number, pass no, reisepass, reisepassnummer, passnummer, passeport,
        pasaporte, passaporto, passaporte, паспорт, 护照"""),
    "national_id": _phrases("""
        national id, national identity, nationalid, citizen id, identity number, id card, id number, idcard,
        voter id, epic no, driving license, driving licence, drivers license, driver license, dl no, license no,
        tax id, tax number, taxpayer id, tfn, =sin, social insurance, nhs number, nhs no, cpf, =dni, =nie, =nif,
        curp, =rut, cedula, =nir, insee, numero securite sociale, num secu, codice fiscale, =cf, pesel,
        personnummer, =bsn, burgerservicenummer, steuer id, steuernummer, ausweisnummer, personalausweis,
        tc kimlik, kimlik no, =rrn, =nik, cnic, nric, cnp, rodne cislo, hetu, =cpr, fodselsnummer,
        rijksregisternummer, sozialversicherungsnummer, svnr, egn, 身份证, 身份证号, 주민등록번호, =инн, снилс"""),
    "phone": _phrases("""
        phone, telephone, =tel, tel no, telno, tel number, tel num, =ph, ph no, phno, =hp, nomor hp, mobile, =mob,
        mob no, mobno, mob num, mobile no, msisdn, =cell, cell no, cell phone, cellphone, contact no,
        contact number, contact num, whatsapp, =fax, fax no, telefon, telefonnummer, rufnummer,
        handy, handynummer,
        mobilnummer, telefono, movil, celular, cellulare, telefone, portable, =gsm, numero portable, телефон,
        手机, 手机号, 电话, 電話番号, 전화번호, मोबाइल"""),
    "birth_date": _phrases("""
        dob, d o b, =birth, =nasc, data nasc, birth date, birthdate, date of birth, birthday, birth day, bday,
        birth dt,
        born on, born at, date born, =born, geburtsdatum, geb datum, gebdat, geburtstag, date naissance,
        date de naissance, naissance, fecha nacimiento, fecha de nacimiento, fec nac, data nascimento,
        data de nascimento, dt nasc, data nascita, data di nascita, geboortedatum, fodselsdato, data urodzenia,
        dogum tarihi, дата рождения, 生日, 出生日期, 生年月日"""),
    "postal_code": _phrases("""
        postal code, post code, postcode, zip, zip code, zipcode, pin code, pincode, =pin, plz, postleitzahl,
        code postal, =cp, codigo postal, cod postal, =cep, =cap, postnummer, kod pocztowy, почтовый индекс, 邮编,
        郵便番号"""),
    "coordinates": _phrases("""
        lat, latitude, lon, lng, =long, longitude, latlng, x coord, y coord,
        lat lng, latlon, lat lon, lat long, geo point,
        geopoint, geo location, geolocation, coordinates, coords, gps, gps location, breitengrad, laengengrad,
        latitud, longitud, latitudine, longitudine, широта, долгота"""),
    "place": _phrases("=location, =geo, =position, =loc, =point, =ubicacion, =standort"),
    "address": _phrases("""
        address, addr, =add, address line, street, street name, street address, residence, adresse, anschrift,
        strasse, str hausnr, rue, direccion, domicilio, calle, endereco, logradouro, indirizzo, via residenza,
        adres, adresa, ulica, адрес, 地址, 住所, 주소, पता"""),
    "name": _phrases("""
        f name, l name, m name, pax name, ship to name, bill to name, nome cliente, cliente name, name cliente,
        kunde name, first name, last name, full name, given name, family name, middle name, maiden name,
        second name, surname, sur name, fname, lname, mname, fullname, forename, legal name, person name,
        customer name, cust name, client name, patient name, employee name, emp name, contact name,
        contact person, respondent name, student name, father name, fathers name, mother name, mothers name,
        spouse name, husband name, wife name, nominee, nominee name, holder name, cardholder, card holder,
        card holder name, owner name, member name, passenger name, guest name, driver name, doctor name,
        agent name, recipient name, sender name, author name, beneficiary name, applicant name, vorname, nachname,
        familienname, geburtsname, prenom, nom famille, nom de famille, nom complet, nom client, nom naissance,
        apellido, apellidos, primer nombre, nombre completo, nombre cliente, nome completo, nome cliente,
        sobrenome, primeiro nome, cognome, voornaam, achternaam, fornavn, etternavn, efternamn, fornamn, imie,
        nazwisko, jmeno, prijmeni, soyad, soyadi, фамилия, имя, отчество, фио, 姓名, 氏名, 이름, नाम"""),
    # also what products and places are called: the values must have people's names among them
    "bare_name": _phrases("""
        name, nom, nome, nombre, nombres, naam, navn, namn, kundenname, display name, =ad, =isim, =contact, =contacto,
        =kontakt, =kontaktperson, =ansprechpartner, =manager, =owner, =author, =agent, =assignee, =supervisor,
        =doctor, =driver, =nominee, =client, =payee, =beneficiario, =customer, =patient, =employee"""),
    "username": _phrases("""
        username, user name, =handle, login, login name, nickname, nick name, screen name, user handle,
        benutzername, usuario, identifiant, twitter handle, instagram handle, skype, telegram id"""),
    "free_text": _phrases("""
        comment, comments, note, notes, remark, remarks, feedback, message, msg text, message text, message body,
        body, review text, review, complaint, bio, about me, verbatim, free text, freetext, open end, open ended,
        other specify, testimonial, transcript, bemerkung, bemerkungen, kommentar, anmerkung, notiz, commentaire,
        commentaires, remarque, observaciones, comentario, comentarios, observacoes, nota, commento, opmerkingen,
        комментарий"""),
}

WHOSE: Final = _words("""
    a account acct alt alternate alternative applicant author beneficiary billing birth borrower buyer caller child
    client contact corresp correspondence current cust customer delivery doctor driver e emergency emp employee family
    father guardian guest h home kunde kunden last lead lieferung main member mother mobile new nominee o of office
    old other owner p parent passenger patient permanent person personal primary private recipient rechnung reg
    registered registration res residence resp respondent sec secondary sender ship shipping spouse staff student bill
    pax to subscriber temp the u us user usr visitor wife work no num nr number nbr numero val value raw txt text full
    cliente
    """)

# read alike in phrases and names
SHORT: Final[Mapping[str, str]] = {
    "acct": "account",
    "addr": "address",
    "adr": "address",
    "adv": "advertising",
    "cd": "code",
    "cde": "code",
    "cntct": "contact",
    "ctct": "contact",
    "cust": "customer",
    "dt": "date",
    "emp": "employee",
    "mob": "mobile",
    "nbr": "number",
    "nm": "name",
    "no": "number",
    "nr": "number",
    "num": "number",
    "resp": "respondent",
    "tlf": "tel",
    "usr": "user",
}

# what is left of a name beside the phrase: with one of these the column says something about the thing
ABOUT_IT: Final = _words("""
    allowed at attempts available blocked bounce bounced campaign category changed check checked clicks code color
    consent count country created date days domain domains done dummy enabled error exists failed flag format
    frequency group has hash hashed id ids is kind label language length list max min model n needed notification
    notifications opened opt optin optout os pct percent preference price provider queue quality rank rate ratio
    reason required score send sent size source state status subject subscribed template tests time total type types
    unit updated usage validated verified version views visible was with year month quarter age app carrier operator
    os brand
    """)

# whose it is if not a person's
ABOUT_OTHERS: Final = _words("""
    app application bank brand branch bucket calendar campaign category channel chart city class collection column
    company constraint country course database datname db department dept device district domain event feature field
    file filename font function game gateway genre group hotel host hostname icon index institution item job key lang
    language library market medium metric model module mount movie network org organisation organization package page
    park plan platform playlist port process product produit producto produto produkt program project province
    publisher query queue question region relation report repository role route rule schema school screen script
    segment sensor server service shop show site skill song source stage state station store subnet supplier survey
    table tag task team template test theme title tool topic town track type universe university variable vendor venue
    village warehouse website zone airport memory wallet bus mapping ville commune stadt firma tabelle spalte pais
    ciudad cidade cidades
    """)
THINGS: Final = ABOUT_OTHERS | _words("""
    abstract caption content definition description error exception headline instruction instructions log plot prompt
    recipe sql stack statement summary synopsis terms title trace tooltip
    """)
DEVICES: Final = frozenset({"device_id", "imei", "ip", "mac"})


@lru_cache(maxsize=8192)
def find_named(name: str) -> tuple[str, ...]:
    """The kinds that a column of this name may be of, the likeliest first."""
    words = split_words(name)
    return tuple(kind for kind, phrases in NAMES.items() if _is_named(kind, words, phrases))


def names_things(name: str) -> bool:
    """Whether what is held is a thing's or about things: `server_ip`, `product_description`."""
    return not THINGS.isdisjoint(split_words(name))


def split_words(name: str) -> tuple[str, ...]:
    """`custEmailID2`, `CUST_EMAIL_ID` -> customer, email, id; digits at a word's end are dropped."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(word for word in (_fold(part) for part in re.split(r"[\W_]+", spaced)) if word)


def _fold(word: str) -> str:
    if not word.isascii():
        word = word.replace("ß", "ss").replace("ø", "o").replace("ł", "l").replace("Ł", "l").replace("ı", "i")
        decomposed = unicodedata.normalize("NFKD", word) if re.search(r"[À-ɏ]", word) else word
        word = "".join(letter for letter in decomposed if not "\u0300" <= letter <= "\u036f")
    word = word.lower()
    word = word if word in {"ipv4", "ipv6"} else word.rstrip("0123456789")
    return SHORT.get(word, word)


def _is_named(kind: str, words: tuple[str, ...], phrases: Iterable[str]) -> bool:
    return any(_fits(kind, rest, alone) for phrase in phrases for rest, alone in _matches(words, phrase))


def _matches(words: tuple[str, ...], phrase: str) -> Iterable[tuple[set[str], bool]]:
    """What is left of the name beside the phrase, for each way to find it."""
    alone = phrase.startswith("=")
    sought = _folded(phrase.removeprefix("="))
    for start in range(len(words)):
        if _same(words[start : start + len(sought)], sought):
            yield {*words[:start], *words[start + len(sought) :]}, alone
        elif _same(words[start : start + 1], ("".join(sought),)):
            yield {*words[:start], *words[start + 1 :]}, alone


def _same(words: tuple[str, ...], sought: tuple[str, ...]) -> bool:
    """Also where the name is in the plural."""
    return words == sought or words == (*sought[:-1], f"{sought[-1]}s")


def _fits(kind: str, rest: set[str], alone: bool) -> bool:
    if alone:
        return rest <= (WHOSE | {"device"} if kind in DEVICES else WHOSE)
    if kind == "email":
        rest = rest - {"id", "ids"}  # `email_id` is what India calls an e-mail address
    others = ABOUT_OTHERS - {"device"} if kind in DEVICES else ABOUT_OTHERS
    return not rest & (ABOUT_IT | others)


@cache
def _folded(phrase: str) -> tuple[str, ...]:
    return tuple(_fold(word) for word in phrase.split())
