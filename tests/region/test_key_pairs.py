"""EC2 key pairs: a private key that opens what its public half closes, and fingerprints as EC2 computes them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

pytestmark = pytest.mark.region
PLAIN = (forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH)


@pytest.fixture
def ec2(aws):
    return aws("ec2")


def public_half(material: str) -> str:
    load = forms.load_ssh_private_key if "OPENSSH" in material else forms.load_pem_private_key
    return load(material.encode(), None).public_key().public_bytes(*PLAIN).decode()


def described(ec2: Any, name: str) -> dict[str, Any]:
    (found,) = ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
    return dict(found)


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize(
    ("kind", "begins"), [("rsa", "-----BEGIN RSA PRIVATE KEY-----"), ("ed25519", "-----BEGIN OPENSSH")]
)
def test_a_created_key_is_the_other_half_of_the_public_one(ec2, kind, begins):
    made = ec2.create_key_pair(KeyName=f"made-{kind}", KeyType=kind)
    assert made["KeyMaterial"].startswith(begins)
    told = described(ec2, f"made-{kind}")
    assert told["PublicKey"] == f"{public_half(made['KeyMaterial'])} made-{kind}"
    assert (told["KeyType"], told["KeyPairId"], told["KeyFingerprint"]) == (
        kind,
        made["KeyPairId"],
        made["KeyFingerprint"],
    )
    assert told["CreateTime"].tzinfo


def test_an_rsa_key_is_the_default_of_2048_bits_with_the_sha1_of_its_private_half(ec2):
    made = ec2.create_key_pair(KeyName="default")
    key = forms.load_pem_private_key(made["KeyMaterial"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    der = key.private_bytes(forms.Encoding.DER, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    assert made["KeyFingerprint"] == hashlib.sha1(der).digest().hex(":")


def test_an_imported_rsa_key_has_the_md5_of_its_public_half_in_whatever_form_it_came(ec2):
    key = rsa.generate_private_key(65537, 2048).public_key()
    der = key.public_bytes(forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo)
    line = key.public_bytes(*PLAIN)
    blob = line.split()[1].decode()
    wrapped = "\n".join(blob[start : start + 70] for start in range(0, len(blob), 70))
    armour = f'---- BEGIN SSH2 PUBLIC KEY ----\nComment: "mine"\n{wrapped}\n---- END SSH2 PUBLIC KEY ----\n'.encode()
    for name, form in (("line", line + b" me@home\n"), ("der", base64.b64encode(der)), ("rfc4716", armour)):
        taken = ec2.import_key_pair(KeyName=name, PublicKeyMaterial=form)
        assert taken["KeyFingerprint"].replace(":", "") == hashlib.md5(der).hexdigest(), name
        assert described(ec2, name)["PublicKey"] == f"{line.decode()} {name}"
        assert described(ec2, name)["KeyType"] == "rsa"


def test_an_ed25519_key_has_openssh_s_fingerprint(ec2):
    line = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*PLAIN)
    taken = ec2.import_key_pair(KeyName="short", PublicKeyMaterial=line)
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    assert taken["KeyFingerprint"] == base64.b64encode(digest).decode()


@pytest.mark.parametrize("kind", ["words", "ecdsa", "private", "empty"])
def test_what_is_no_public_key_of_ec2_s_kinds_is_refused(ec2, kind):
    curve = ec.generate_private_key(ec.SECP256R1())
    pem = curve.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    forms_of = {
        "words": b"not a key",
        "ecdsa": curve.public_key().public_bytes(*PLAIN),
        "private": pem,
        "empty": b"ssh-",
    }
    code, message = refusal(ec2.import_key_pair, KeyName=f"bad-{kind}", PublicKeyMaterial=forms_of[kind])
    assert (code, message) == ("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
    assert refusal(ec2.describe_key_pairs, KeyNames=[f"bad-{kind}"])[0] == "InvalidKeyPair.NotFound"


def test_a_name_is_taken_once(ec2):
    ec2.create_key_pair(KeyName="once", KeyType="ed25519")
    line = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*PLAIN)
    expected = ("InvalidKeyPair.Duplicate", "The keypair 'once' already exists.")
    assert refusal(ec2.create_key_pair, KeyName="once") == expected
    assert refusal(ec2.import_key_pair, KeyName="once", PublicKeyMaterial=line) == expected


def test_they_are_found_by_id_filter_and_tag_and_deleted_by_name_or_id(ec2):
    tags = [{"ResourceType": "key-pair", "Tags": [{"Key": "team", "Value": "<a&b>"}]}]
    one = ec2.create_key_pair(KeyName="a<b>&c", KeyType="ed25519", TagSpecifications=tags)
    two = ec2.create_key_pair(KeyName="other", KeyType="ed25519")
    assert one["Tags"] == [{"Key": "team", "Value": "<a&b>"}]
    for asked in (
        {"KeyPairIds": [one["KeyPairId"]]},
        {"Filters": [{"Name": "tag:team", "Values": ["<a&b>"]}]},
        {"Filters": [{"Name": "tag-key", "Values": ["team"]}]},
        {"Filters": [{"Name": "fingerprint", "Values": [one["KeyFingerprint"]]}]},
        {"Filters": [{"Name": "key-name", "Values": ["a<b>&c"]}]},
    ):
        (found,) = ec2.describe_key_pairs(**asked)["KeyPairs"]
        assert (found["KeyName"], "PublicKey" in found) == ("a<b>&c", False)
    ec2.delete_key_pair(KeyName="a<b>&c")
    assert ec2.delete_key_pair(KeyPairId=two["KeyPairId"])["KeyPairId"] == two["KeyPairId"]
    assert ec2.delete_key_pair(KeyName="never there")["Return"] is True
    left = {pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]}
    assert not left & {"a<b>&c", "other"}


def test_a_key_pair_belongs_to_its_region(ec2, aws):
    ec2.create_key_pair(KeyName="here", KeyType="ed25519")
    there = aws("ec2", region_name="eu-west-1")
    assert refusal(there.describe_key_pairs, KeyNames=["here"]) == (
        "InvalidKeyPair.NotFound",
        "The key pair 'here' does not exist",
    )


def test_putty_s_format_is_refused_and_nothing_is_made(ec2):
    assert refusal(ec2.create_key_pair, KeyName="putty", KeyFormat="ppk")[0] == "InvalidParameterValue"
    assert refusal(ec2.describe_key_pairs, KeyNames=["putty"])[0] == "InvalidKeyPair.NotFound"


def test_emr_launches_no_cluster_whose_key_pair_is_in_another_region(ec2, aws):
    ec2.create_key_pair(KeyName="at-home", KeyType="ed25519")
    emr = aws("emr", region_name="eu-west-1")
    instances = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "Ec2KeyName": "at-home"}
    made = emr.run_job_flow(Name="locked", ReleaseLabel="emr-7.9.0", Instances=instances)["JobFlowId"]
    waiter = emr.get_waiter("cluster_terminated")
    with pytest.raises(WaiterError, match="TERMINATED_WITH_ERRORS"):
        waiter.wait(ClusterId=made, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    status = emr.describe_cluster(ClusterId=made)["Cluster"]["Status"]
    assert status["StateChangeReason"] == {
        "Code": "VALIDATION_ERROR",
        "Message": "The given SSH key name was invalid",
    }
    (detail,) = status["ErrorDetails"]
    assert (detail["ErrorCode"], detail["ErrorData"][0]["ssh-key"]) == (
        "VALIDATION_ERROR_INVALID_SSH_KEY_NAME",
        "at-home",
    )
