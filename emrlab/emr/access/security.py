"""Security configurations: what their JSON may hold, and which of it emrlab can do.

See "Create a security configuration with the Amazon EMR console or with the AWS CLI", and for the members that page
leaves to others "Create the EMR security configuration" (Ranger), "Runtime roles for Amazon EMR steps", "Use LDAP".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..account import SecurityConfiguration
from ..errors import invalid, not_built, validation

if TYPE_CHECKING:
    from ..history import History
    from ..records import Cluster

Json = dict[str, Any]
S3_MODES = ("SSE-S3", "SSE-KMS", "CSE-KMS", "CSE-Custom")
IDENTIFIERS = ("User", "Group", "Prefix")


def wrong(path: str, said: str) -> Exception:
    return invalid(f"The security configuration is not valid: {path} {said}.")


# What a member may be: each raises when a value is something else


def switch(value: Any, path: str) -> None:
    """EMR's own examples write booleans both ways."""
    if value not in (True, False, "true", "false") or isinstance(value, int) is not isinstance(value, bool):
        raise wrong(path, "must be true or false")


def text(value: Any, path: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise wrong(path, "must be a text that is not empty")


def number(low: int, high: int) -> Callable[[Any, str], None]:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise wrong(path, f"must be a whole number from {low} to {high}")

    return check


def one_of(*values: str) -> Callable[[Any, str], None]:
    def check(value: Any, path: str) -> None:
        if value not in values:
            raise wrong(path, f"must be one of {', '.join(values)}")

    return check


def texts(value: Any, path: str) -> None:
    if not isinstance(value, list) or not value:
        raise wrong(path, "must be a list that is not empty")
    for at, one in enumerate(value):
        text(one, f"{path}[{at}]")


def each(members: Json) -> Callable[[Any, str], None]:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise wrong(path, "must be a list")
        for at, one in enumerate(value):
            walk(members, one, f"{path}[{at}]")

    return check


def anything(value: Any, path: str) -> None:
    """An object whose members other pages list, and no part of emrlab reads."""
    if not isinstance(value, dict):
        raise wrong(path, "must be an object")


PROVIDER: Json = {"S3Object": text, "EncryptionKeyProviderClass": text, "AwsKmsKey": text}
HOURS = number(1, 24 * 365)
MEMBERS: Json = {
    "EncryptionConfiguration": {
        "EnableInTransitEncryption": switch,
        "EnableAtRestEncryption": switch,
        "InTransitEncryptionConfiguration": {
            "TLSCertificateConfiguration": {
                "CertificateProviderType": one_of("PEM", "Custom"),
                "S3Object": text,
                "CertificateProviderClass": text,
            }
        },
        "AtRestEncryptionConfiguration": {
            "S3EncryptionConfiguration": {
                "EncryptionMode": one_of(*S3_MODES),
                **PROVIDER,
                "Overrides": each({"BucketName": text, "EncryptionMode": one_of(*S3_MODES), **PROVIDER}),
            },
            "LocalDiskEncryptionConfiguration": {
                "EnableEbsEncryption": switch,
                "EncryptionKeyProviderType": one_of("AwsKms", "Custom"),
                **PROVIDER,
            },
        },
    },
    "AuthenticationConfiguration": {
        "KerberosConfiguration": {
            "Provider": one_of("ClusterDedicatedKdc", "ExternalKdc"),
            "ClusterDedicatedKdcConfiguration": {
                "TicketLifetimeInHours": HOURS,
                "CrossRealmTrustConfiguration": dict.fromkeys(("Realm", "Domain", "AdminServer", "KdcServer"), text),
            },
            "ExternalKdcConfiguration": {
                "TicketLifetimeInHours": HOURS,
                "KdcServerType": one_of("Single"),
                "AdminServer": text,
                "KdcServer": text,
                "AdIntegrationConfiguration": dict.fromkeys(("AdRealm", "AdDomain", "AdServer"), text),
            },
        },
        "IdentityCenterConfiguration": anything,
        "LDAPConfiguration": anything,
    },
    "AuthorizationConfiguration": {
        "EmrFsConfiguration": {
            "RoleMappings": each({"Role": text, "IdentifierType": one_of(*IDENTIFIERS), "Identifiers": texts})
        },
        "IAMConfiguration": {
            "EnableApplicationScopedIAMRole": switch,
            "ApplicationScopedIAMRoleConfiguration": {"PropagateSourceIdentity": switch},
        },
        "LakeFormationConfiguration": anything,
        "RangerConfiguration": anything,
    },
    "InstanceMetadataServiceConfiguration": {
        "MinimumInstanceMetadataServiceVersion": number(1, 2),
        "HttpPutResponseHopLimit": number(1, 64),
    },
}


def walk(members: Json, value: Any, path: str) -> None:
    """Every member of ``value`` is one of ``members`` and what it may be."""
    if not isinstance(value, dict):
        raise wrong(path or "It", "must be an object")
    for name, one in value.items():
        place = f"{path}.{name}" if path else name
        if name not in members:
            raise wrong(place, f"is not known. Here may stand: {', '.join(members)}")
        rule = members[name]
        if isinstance(rule, dict):
            walk(rule, one, place)
        else:
            rule(one, place)


# What a document must hold besides


def on(value: Any) -> bool:
    return value in (True, "true")


def need(within: Mapping[str, Any], path: str, *names: str) -> None:
    for name in names:
        if name not in within:
            raise wrong(f"{path}.{name}", "is missing")


def parsed(document: str) -> Json:
    """The configuration that a document holds. Raises ``AwsError`` for what EMR does not take."""
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        raise invalid("The security configuration is not valid JSON.") from None
    walk(MEMBERS, found, "")
    check_encryption(found.get("EncryptionConfiguration", {}))
    kerberos = found.get("AuthenticationConfiguration", {}).get("KerberosConfiguration")
    if kerberos is not None:
        path = "AuthenticationConfiguration.KerberosConfiguration"
        need(kerberos, path, "Provider")
        need(kerberos, path, f"{kerberos['Provider']}Configuration")
    emrfs = found.get("AuthorizationConfiguration", {}).get("EmrFsConfiguration")
    if emrfs is not None:
        path = "AuthorizationConfiguration.EmrFsConfiguration"
        need(emrfs, path, "RoleMappings")
        for at, one in enumerate(emrfs["RoleMappings"]):
            need(one, f"{path}.RoleMappings[{at}]", "Role", "IdentifierType", "Identifiers")
    metadata = found.get("InstanceMetadataServiceConfiguration")
    if metadata is not None:
        path = "InstanceMetadataServiceConfiguration"
        need(metadata, path, "MinimumInstanceMetadataServiceVersion", "HttpPutResponseHopLimit")
    return dict(found)


def check_encryption(found: Json) -> None:
    path = "EncryptionConfiguration"
    if on(found.get("EnableInTransitEncryption")):
        need(found, path, "InTransitEncryptionConfiguration")
        path += ".InTransitEncryptionConfiguration"
        need(found["InTransitEncryptionConfiguration"], path, "TLSCertificateConfiguration")
        path += ".TLSCertificateConfiguration"
        certificates = found["InTransitEncryptionConfiguration"]["TLSCertificateConfiguration"]
        need(certificates, path, "CertificateProviderType", "S3Object")
        if certificates["CertificateProviderType"] == "Custom":
            need(certificates, path, "CertificateProviderClass")
    path = "EncryptionConfiguration"
    if on(found.get("EnableAtRestEncryption")):
        need(found, path, "AtRestEncryptionConfiguration")
        path += ".AtRestEncryptionConfiguration"
        rest = found["AtRestEncryptionConfiguration"]
        if not rest:
            raise wrong(path, "needs S3EncryptionConfiguration, LocalDiskEncryptionConfiguration or both")
        if "S3EncryptionConfiguration" in rest:
            check_s3(rest["S3EncryptionConfiguration"], f"{path}.S3EncryptionConfiguration")
        if "LocalDiskEncryptionConfiguration" in rest:
            check_disk(rest["LocalDiskEncryptionConfiguration"], f"{path}.LocalDiskEncryptionConfiguration")


def check_s3(found: Json, path: str) -> None:
    need(found, path, "EncryptionMode")
    if found["EncryptionMode"] in ("SSE-KMS", "CSE-KMS"):
        need(found, path, "AwsKmsKey")
    if found["EncryptionMode"] == "CSE-Custom":
        need(found, path, "S3Object", "EncryptionKeyProviderClass")
    for at, one in enumerate(found.get("Overrides", ())):
        need(one, f"{path}.Overrides[{at}]", "BucketName")
        check_s3(one, f"{path}.Overrides[{at}]")


def check_disk(found: Json, path: str) -> None:
    need(found, path, "EncryptionKeyProviderType")
    if found["EncryptionKeyProviderType"] == "AwsKms":
        need(found, path, "AwsKmsKey")
    else:
        need(found, path, "S3Object", "EncryptionKeyProviderClass")
        if on(found.get("EnableEbsEncryption")):
            raise wrong(f"{path}.EnableEbsEncryption", "needs AwsKms as EncryptionKeyProviderType")


def enabled(within: Json, name: str, switch_name: str) -> bool:
    """Whether a part is there and not switched off."""
    return name in within and within[name].get(switch_name) not in (False, "false")


# What clusters make of it


def features(found: Json) -> dict[str, bool]:
    """What no cluster of emrlab has, and whether a configuration asks for it."""
    encryption = found.get("EncryptionConfiguration", {})
    authentication = found.get("AuthenticationConfiguration", {})
    authorization = found.get("AuthorizationConfiguration", {})
    return {
        "encryption in transit": on(encryption.get("EnableInTransitEncryption")),
        "encryption at rest": on(encryption.get("EnableAtRestEncryption")),
        "Kerberos": "KerberosConfiguration" in authentication,
        "IAM Identity Center": enabled(authentication, "IdentityCenterConfiguration", "EnableIdentityCenter"),
        "LDAP": enabled(authentication, "LDAPConfiguration", "EnableLDAPAuthentication"),
        "IAM roles for EMRFS": bool(authorization.get("EmrFsConfiguration", {}).get("RoleMappings")),
        "runtime roles": on(authorization.get("IAMConfiguration", {}).get("EnableApplicationScopedIAMRole")),
        "Lake Formation": "LakeFormationConfiguration" in authorization,
        "Apache Ranger": "RangerConfiguration" in authorization,
    }


def key(account: str, region: str, name: str) -> str:
    return f"{account}:{region}:security-configuration:{name}"


def check(history: History, cluster: Cluster) -> None:
    """Refuse a new cluster whose security configuration is not there, or asks for what emrlab cannot do."""
    name = cluster.security_configuration
    if not name:
        return
    found = history.get(SecurityConfiguration, key(cluster.account, cluster.region, name))
    if found is None:
        raise validation(f"Security configuration with name '{name}' does not exist.")
    if missing := [feature for feature, wanted in features(parsed(found.document)).items() if wanted]:
        raise not_built(f"What the security configuration '{name}' asks for ({', '.join(missing)})")


def settings(history: History, cluster: Cluster) -> Json:
    """What the cluster's security configuration says; nothing without one."""
    if not cluster.security_configuration:
        return {}
    found = history.get(SecurityConfiguration, key(cluster.account, cluster.region, cluster.security_configuration))
    return parsed(found.document) if found else {}
