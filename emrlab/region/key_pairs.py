"""EC2 key pairs that are real: ministack's EC2 makes up a fingerprint and gives a private key that is none.

``install`` puts these handlers in the place of ministack's four. See "Amazon EC2 key pairs and Amazon EC2 instances".
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    PublicKey = RSAPublicKey | Ed25519PublicKey

Params = dict[str, list[str]]
Answer = tuple[int, dict[str, str], bytes]
Pair = dict[str, Any]
RSA_BITS = 2048
RSA_IMPORTED = (1024, 2048, 4096)
ARMOUR = "---- BEGIN SSH2 PUBLIC KEY ----"


def install(ec2: Any) -> None:
    """Let ministack's module ``ec2`` answer with real key pairs. Twice is harmless."""
    pairs = KeyPairs(ec2)
    handlers: dict[str, Callable[[Params], Answer]] = {
        "CreateKeyPair": pairs.create,
        "ImportKeyPair": pairs.take,
        "DescribeKeyPairs": pairs.describe,
        "DeleteKeyPair": pairs.delete,
    }
    ec2._ACTION_MAP.update(handlers)


class KeyPairs:
    """They live in ministack's own store, so that it keeps and restores them; the public key is one more field."""

    def __init__(self, ec2: Any) -> None:
        self.ec2 = ec2

    def create(self, params: Params) -> Answer:
        name, kind = self.given(params, "KeyName"), self.given(params, "KeyType") or "rsa"
        if self.given(params, "KeyFormat") == "ppk":
            return self.refused(
                "InvalidParameterValue", "KeyFormat ppk is not emulated by emrlab: take pem, puttygen makes one of it."
            )
        if name in self.ec2._key_pairs:
            return self.duplicate(name)
        material, public, print_ = made(kind)
        return self.kept(params, "CreateKeyPair", self.pair(name, kind, print_, public), material)

    def take(self, params: Params) -> Answer:
        name = self.given(params, "KeyName")
        if name in self.ec2._key_pairs:
            return self.duplicate(name)
        try:
            kind, public, print_ = imported(base64.b64decode(self.given(params, "PublicKeyMaterial")))
        except ValueError:
            return self.refused("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
        return self.kept(params, "ImportKeyPair", self.pair(name, kind, print_, public))

    def describe(self, params: Params) -> Answer:
        known: dict[str, Pair] = dict(self.ec2._key_pairs.items())
        found = list(known.values())
        if names := self.ec2._parse_member_list(params, "KeyName"):
            for name in names:
                if name not in known:
                    return self.refused("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
            found = [known[name] for name in dict.fromkeys(names)]
        if ids := self.ec2._parse_member_list(params, "KeyPairId"):
            for one in ids:
                if one not in {pair["KeyPairId"] for pair in known.values()}:
                    return self.refused("InvalidKeyPair.NotFound", f"The key pair ID '{one}' does not exist")
            found = [pair for pair in found if pair["KeyPairId"] in ids]
        filters: dict[str, list[str]] = self.ec2._parse_filters(params)
        public = self.given(params, "IncludePublicKey").lower() == "true"
        items = [self.item(pair, public) for pair in found if self.passes(pair, filters)]
        listed: Answer = self.ec2._xml(200, "DescribeKeyPairsResponse", f"<keySet>{''.join(items)}</keySet>")
        return listed

    def delete(self, params: Params) -> Answer:
        """By name or id. One that is not there is no error."""
        name, one = self.given(params, "KeyName"), self.given(params, "KeyPairId")
        for pair in list(self.ec2._key_pairs.values()):
            if name == pair["KeyName"] or one == pair["KeyPairId"]:
                one = pair["KeyPairId"]
                self.ec2._key_pairs.pop(pair["KeyName"], None)
                self.ec2._tags.pop(one, None)
        told = f"<return>true</return>{element('keyPairId', one) if one else ''}"
        answer: Answer = self.ec2._xml(200, "DeleteKeyPairResponse", told)
        return answer

    # What they have in common

    def given(self, params: Params, name: str) -> str:
        return str(self.ec2._p(params, name))

    def pair(self, name: str, kind: str, fingerprint: str, public: str) -> Pair:
        return {
            "KeyName": name,
            "KeyFingerprint": fingerprint,
            "KeyPairId": f"key-0{secrets.token_hex(8)}",
            "KeyType": kind,
            "PublicKey": f"{public} {name}",
            "CreateTime": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        }

    def kept(self, params: Params, operation: str, pair: Pair, material: str = "") -> Answer:
        self.ec2._key_pairs[pair["KeyName"]] = pair
        self.ec2._parse_tag_specs(params, "key-pair", pair["KeyPairId"])
        told = (
            element("keyName", pair["KeyName"])
            + element("keyFingerprint", pair["KeyFingerprint"])
            + (element("keyMaterial", material) if material else "")
            + element("keyPairId", pair["KeyPairId"])
            + self.ec2._tag_set_xml(pair["KeyPairId"])
        )
        answer: Answer = self.ec2._xml(200, f"{operation}Response", told)
        return answer

    def item(self, pair: Pair, public: bool) -> str:
        fields = ["keyPairId", "keyFingerprint", "keyName", "keyType", "createTime", *(["publicKey"] if public else [])]
        named = ((field, pair.get(field[0].upper() + field[1:])) for field in fields)
        told = "".join(element(field, value) for field, value in named if value)
        return f"<item>{told}{self.ec2._tag_set_xml(pair['KeyPairId'])}</item>"

    def passes(self, pair: Pair, filters: dict[str, list[str]]) -> bool:
        tags = {one["Key"]: one.get("Value", "") for one in self.ec2._tags.get(pair["KeyPairId"], [])}
        values: dict[str, Iterable[str]] = {
            "key-name": [pair["KeyName"]],
            "key-pair-id": [pair["KeyPairId"]],
            "fingerprint": [pair["KeyFingerprint"]],
            "tag-key": tags,
            **{f"tag:{key}": [value] for key, value in tags.items()},
        }
        return all(set(wanted) & set(values.get(name, ())) for name, wanted in filters.items())

    def duplicate(self, name: str) -> Answer:
        return self.refused("InvalidKeyPair.Duplicate", f"The keypair '{name}' already exists.")

    def refused(self, code: str, message: str) -> Answer:
        answer: Answer = self.ec2._error(code, escape(message), 400)
        return answer


def element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def made(kind: str) -> tuple[str, str, str]:
    """A new key: the private half in PEM, the public half in OpenSSH's format, EC2's fingerprint."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    plain = forms.NoEncryption()
    if kind == "ed25519":
        private = ed25519.Ed25519PrivateKey.generate()
        pem = private.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, plain)
        return pem.decode(), written(private.public_key()), fingerprint(private.public_key())
    key = rsa.generate_private_key(65537, RSA_BITS)
    pem = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.TraditionalOpenSSL, plain)
    der = key.private_bytes(forms.Encoding.DER, forms.PrivateFormat.PKCS8, plain)
    return pem.decode().rstrip(), written(key.public_key()), paired(hashlib.sha1(der).digest())


def imported(material: bytes) -> tuple[str, str, str]:
    """Kind, OpenSSH's format and EC2's fingerprint of a public key. ``ValueError`` for what EC2 does not take."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    text = material.decode("ascii", errors="replace").strip()
    key: Any
    try:
        if text.startswith(ARMOUR):  # RFC 4716
            lines = [line for line in text.splitlines()[1:-1] if ":" not in line]
            blob = base64.b64decode("".join(lines))
            kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
            key = forms.load_ssh_public_key(kind + b" " + base64.b64encode(blob))
        elif text.startswith("ssh-"):
            key = forms.load_ssh_public_key(" ".join(text.splitlines()[0].split()[:2]).encode())
        else:
            key = forms.load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519", written(key), fingerprint(key)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_IMPORTED:
        return "rsa", written(key), fingerprint(key)
    raise ValueError("neither an ED25519 key nor an RSA key of 1024, 2048 or 4096 bits")


def written(key: PublicKey) -> str:
    from cryptography.hazmat.primitives import serialization as forms

    return key.public_bytes(forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH).decode()


def fingerprint(key: PublicKey) -> str:
    """As EC2 shows that of an imported key, and of any ED25519 key."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import rsa

    if isinstance(key, rsa.RSAPublicKey):
        der = key.public_bytes(forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo)
        return paired(hashlib.md5(der, usedforsecurity=False).digest())
    blob = base64.b64decode(written(key).split()[1])
    return base64.b64encode(hashlib.sha256(blob).digest()).decode()


def paired(digest: bytes) -> str:
    return digest.hex(":")
