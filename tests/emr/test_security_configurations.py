"""Security configurations: documents that EMR takes and refuses, and clusters with them."""

from __future__ import annotations

import json

import pytest

from emrlab.emr.access import security
from emrlab.emr.operations import security_configurations
from emrlab.errors import AwsError

from .conftest import wanted
from .test_operations import record

KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
METADATA = {
    "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": 2, "HttpPutResponseHopLimit": 1}
}


def encryption(**members):
    return {"EncryptionConfiguration": members}


def in_transit(**certificates):
    inner = {"TLSCertificateConfiguration": certificates}
    return encryption(EnableInTransitEncryption=True, InTransitEncryptionConfiguration=inner)


def at_rest(**members):
    return encryption(EnableAtRestEncryption=True, AtRestEncryptionConfiguration=members)


def s3(**members):
    return at_rest(S3EncryptionConfiguration=members)


def disk(**members):
    return at_rest(LocalDiskEncryptionConfiguration=members)


def kerberos(**members):
    return {"AuthenticationConfiguration": {"KerberosConfiguration": members}}


def authorization(**members):
    return {"AuthorizationConfiguration": members}


DEDICATED = {"Provider": "ClusterDedicatedKdc", "ClusterDedicatedKdcConfiguration": {"TicketLifetimeInHours": 24}}
MAPPING = {"Role": "arn:aws:iam::123456789012:role/a", "IdentifierType": "User", "Identifiers": ["user1"]}
# Documents that EMR's guide shows → what they ask for that emrlab has not.
TAKEN = {
    "nothing": ({}, []),
    "metadata": (METADATA, []),
    "encryption switched off": (encryption(EnableInTransitEncryption=False, EnableAtRestEncryption="false"), []),
    "PEM": (in_transit(CertificateProviderType="PEM", S3Object="s3://b/certs.zip"), ["encryption in transit"]),
    "own certificates": (
        in_transit(CertificateProviderType="Custom", S3Object="s3://b/c.jar", CertificateProviderClass="c.Mine"),
        ["encryption in transit"],
    ),
    "SSE-S3": (s3(EncryptionMode="SSE-S3"), ["encryption at rest"]),
    "SSE-KMS": (s3(EncryptionMode="SSE-KMS", AwsKmsKey=KEY), ["encryption at rest"]),
    "CSE-Custom": (
        s3(EncryptionMode="CSE-Custom", S3Object="s3://b/a.jar", EncryptionKeyProviderClass="c.Mine"),
        ["encryption at rest"],
    ),
    "buckets of their own": (
        s3(
            EncryptionMode="SSE-S3",
            Overrides=[{"BucketName": "b", "EncryptionMode": "SSE-KMS", "AwsKmsKey": KEY}],
        ),
        ["encryption at rest"],
    ),
    "disks": (
        disk(EncryptionKeyProviderType="AwsKms", AwsKmsKey=KEY, EnableEbsEncryption=True),
        ["encryption at rest"],
    ),
    "texts for switches": (
        encryption(
            EnableAtRestEncryption="true",
            AtRestEncryptionConfiguration={"S3EncryptionConfiguration": {"EncryptionMode": "SSE-S3"}},
        ),
        ["encryption at rest"],
    ),
    "a KDC of its own": (kerberos(**DEDICATED), ["Kerberos"]),
    "an external KDC": (
        kerberos(
            Provider="ExternalKdc",
            ExternalKdcConfiguration={
                "TicketLifetimeInHours": 24,
                "KdcServerType": "Single",
                "AdminServer": "kdc.example.com:749",
                "KdcServer": "kdc.example.com:88",
                "AdIntegrationConfiguration": {
                    "AdRealm": "AD.DOMAIN.COM",
                    "AdDomain": "ad.domain.com",
                    "AdServer": "ad.domain.com",
                },
            },
        ),
        ["Kerberos"],
    ),
    "role mappings": (authorization(EmrFsConfiguration={"RoleMappings": [MAPPING]}), ["IAM roles for EMRFS"]),
    "runtime roles and Lake Formation": (
        authorization(
            IAMConfiguration={
                "EnableApplicationScopedIAMRole": True,
                "ApplicationScopedIAMRoleConfiguration": {"PropagateSourceIdentity": True},
            },
            LakeFormationConfiguration={"AuthorizedSessionTagValue": "Amazon EMR"},
        ),
        ["runtime roles", "Lake Formation"],
    ),
    "Ranger": (authorization(RangerConfiguration={"AdminServerURL": "https://r:6182"}), ["Apache Ranger"]),
    "Identity Center": (
        {"AuthenticationConfiguration": {"IdentityCenterConfiguration": {"EnableIdentityCenter": True}}},
        ["IAM Identity Center"],
    ),
    "Identity Center switched off": (
        {"AuthenticationConfiguration": {"IdentityCenterConfiguration": {"EnableIdentityCenter": False}}},
        [],
    ),
    "two at once": (METADATA | kerberos(**DEDICATED), ["Kerberos"]),
}
REFUSED = {
    "a list": ([], "It must be an object"),
    "a typing mistake": ({"EncryptionConfig": {}}, "EncryptionConfig is not known. Here may stand: EncryptionConf"),
    "a mistake within": (encryption(EnableAtRest=True), "EncryptionConfiguration.EnableAtRest is not known"),
    "no switch": (encryption(EnableAtRestEncryption=1), "EnableAtRestEncryption must be true or false"),
    "another text": (encryption(EnableAtRestEncryption="yes"), "must be true or false"),
    "no certificates": (
        encryption(EnableInTransitEncryption=True),
        "EncryptionConfiguration.InTransitEncryptionConfiguration is missing",
    ),
    "no place": (in_transit(CertificateProviderType="PEM"), "TLSCertificateConfiguration.S3Object is missing"),
    "no class": (
        in_transit(CertificateProviderType="Custom", S3Object="s3://b/c.jar"),
        "CertificateProviderClass is missing",
    ),
    "an empty place": (in_transit(CertificateProviderType="PEM", S3Object=" "), "a text that is not empty"),
    "nothing at rest": (encryption(EnableAtRestEncryption=True), "AtRestEncryptionConfiguration is missing"),
    "neither": (at_rest(), "needs S3EncryptionConfiguration, LocalDiskEncryptionConfiguration or both"),
    "an unknown mode": (s3(EncryptionMode="SSE-C"), "EncryptionMode must be one of SSE-S3, SSE-KMS, CSE-KMS, CSE"),
    "no key": (s3(EncryptionMode="CSE-KMS"), "S3EncryptionConfiguration.AwsKmsKey is missing"),
    "no key of a bucket": (
        s3(EncryptionMode="SSE-S3", Overrides=[{"BucketName": "b", "EncryptionMode": "SSE-KMS"}]),
        r"Overrides\[0\].AwsKmsKey is missing",
    ),
    "EBS without KMS": (
        disk(
            EncryptionKeyProviderType="Custom",
            S3Object="s3://b/a.jar",
            EncryptionKeyProviderClass="c.Mine",
            EnableEbsEncryption=True,
        ),
        "EnableEbsEncryption needs AwsKms",
    ),
    "no provider": (kerberos(), "KerberosConfiguration.Provider is missing"),
    "another provider's settings": (
        kerberos(Provider="ExternalKdc", ClusterDedicatedKdcConfiguration={}),
        "ExternalKdcConfiguration is missing",
    ),
    "no identifiers": (
        authorization(EmrFsConfiguration={"RoleMappings": [{"Role": "r", "IdentifierType": "User"}]}),
        r"RoleMappings\[0\].Identifiers is missing",
    ),
    "empty identifiers": (
        authorization(EmrFsConfiguration={"RoleMappings": [MAPPING | {"Identifiers": []}]}),
        "Identifiers must be a list that is not empty",
    ),
    "mappings that are none": (authorization(EmrFsConfiguration={"RoleMappings": {}}), "RoleMappings must be a list"),
    "half the metadata": (
        {"InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": 2}},
        "HttpPutResponseHopLimit is missing",
    ),
    "version 3": (
        {
            "InstanceMetadataServiceConfiguration": {
                "MinimumInstanceMetadataServiceVersion": 3,
                "HttpPutResponseHopLimit": 1,
            }
        },
        "must be a whole number from 1 to 2",
    ),
    "too many hops": (
        {
            "InstanceMetadataServiceConfiguration": {
                "MinimumInstanceMetadataServiceVersion": 1,
                "HttpPutResponseHopLimit": 65,
            }
        },
        "must be a whole number from 1 to 64",
    ),
    "Ranger as a text": (authorization(RangerConfiguration="on"), "RangerConfiguration must be an object"),
}


def create(ask, name, document, **more):
    text = document if isinstance(document, str) else json.dumps(document)
    return ask("CreateSecurityConfiguration", Name=name, SecurityConfiguration=text, **more)


@pytest.mark.parametrize("name", TAKEN)
def test_what_emr_takes_is_kept_to_the_letter(ask, name):
    document = json.dumps(TAKEN[name][0], indent=2)
    made = create(ask, name, document)
    told = ask("DescribeSecurityConfiguration", Name=name)
    assert told == {**made, "SecurityConfiguration": document}
    assert ask("ListSecurityConfigurations")["SecurityConfigurations"] == [made]


@pytest.mark.parametrize("name", REFUSED)
def test_what_emr_does_not_take_is_refused_with_its_place(ask, name):
    document, said = REFUSED[name]
    with pytest.raises(AwsError, match=said) as refused:
        create(ask, "x", document)
    assert refused.value.code == "InvalidRequestException"
    assert ask("ListSecurityConfigurations")["SecurityConfigurations"] == []


@pytest.mark.parametrize("document", ["", "{", "[" * 100_000, "nonsense"])
def test_what_is_no_json_is_refused(ask, document):
    with pytest.raises(AwsError, match="not valid JSON"):
        create(ask, "x", document)


def test_a_configuration_needs_a_name(ask):
    with pytest.raises(AwsError, match="needs a name"):
        create(ask, " ", {})


def test_a_name_is_taken_once_in_an_account(ask):
    create(ask, "mine", {})
    with pytest.raises(AwsError, match="SecurityConfiguration with name 'mine' already exists"):
        create(ask, "mine", METADATA)
    create(ask, "mine", METADATA, account="210987654321")
    assert ask("DescribeSecurityConfiguration", Name="mine")["SecurityConfiguration"] == "{}"


def test_what_is_deleted_is_gone_and_its_name_free(ask):
    create(ask, "mine", {})
    ask("DeleteSecurityConfiguration", Name="mine")
    for operation in ("DescribeSecurityConfiguration", "DeleteSecurityConfiguration"):
        with pytest.raises(AwsError, match=r"^Security configuration with name 'mine' does not exist") as refused:
            ask(operation, Name="mine")
        assert refused.value.code == "InvalidRequestException"
    create(ask, "mine", METADATA)


def test_configurations_come_in_pages(ask):
    count = security_configurations.PAGE + 3
    for number in range(count):
        create(ask, str(number), {})
    first = ask("ListSecurityConfigurations")
    second = ask("ListSecurityConfigurations", Marker=first["Marker"])
    told = first["SecurityConfigurations"] + second["SecurityConfigurations"]
    assert [one["Name"] for one in told] == [str(number) for number in range(count)]
    assert "Marker" not in second


# Clusters


def test_a_cluster_tells_its_configuration_and_keeps_it_from_being_deleted(ask, emr, launch):
    create(ask, "mine", METADATA)
    life = launch(SecurityConfiguration="mine").until_state("WAITING")
    assert life.told["SecurityConfiguration"] == "mine"
    cluster = emr.history.in_states(type(record(1)), ["WAITING"])[0]
    assert security.settings(emr.history, cluster) == METADATA
    with pytest.raises(AwsError, match="'mine' cannot be deleted because it is in use by active clusters") as refused:
        ask("DeleteSecurityConfiguration", Name="mine")
    assert refused.value.members == {"ErrorCode": "SECURITY_CONFIGURATION_IN_USE"}
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    ask("DeleteSecurityConfiguration", Name="mine")


def test_a_configuration_that_is_not_there_launches_nothing(ask):
    create(ask, "theirs", {}, account="210987654321")
    with pytest.raises(AwsError, match="Security configuration with name 'theirs' does not exist") as refused:
        ask("RunJobFlow", **wanted(SecurityConfiguration="theirs"))
    assert refused.value.code == "ValidationException"
    assert ask("ListClusters")["Clusters"] == []


@pytest.mark.parametrize("name", [name for name, (_, missing) in TAKEN.items() if missing])
def test_what_emrlab_cannot_do_is_never_left_out_in_silence(ask, name):
    document, missing = TAKEN[name]
    create(ask, "mine", document)
    with pytest.raises(AwsError, match=r"asks for .* is not emulated by emrlab") as refused:
        ask("RunJobFlow", **wanted(SecurityConfiguration="mine"))
    assert f"({', '.join(missing)})" in refused.value.message
    assert ask("ListClusters")["Clusters"] == []


@pytest.mark.parametrize("name", [name for name, (_, missing) in TAKEN.items() if not missing])
def test_what_asks_for_nothing_more_launches(ask, launch, name):
    create(ask, "mine", TAKEN[name][0])
    launch(SecurityConfiguration="mine").until_state("WAITING")
