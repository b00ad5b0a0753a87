"""Block public access: what an account permits, and clusters that do not keep to it."""

from __future__ import annotations

import pytest

from emrlab.emr.access import public_access
from emrlab.errors import AwsError

from .conftest import ACCOUNT
from .network import Network, rule

WORLD, HOME = "0.0.0.0/0", "10.0.0.0/8"


@pytest.fixture
def network(monkeypatch):
    found = Network()
    monkeypatch.setattr(public_access, "EC2", lambda *_: found)
    return found


def put(ask, blocked, *ranges, **more):
    listed = [{"MinRange": one} if isinstance(one, int) else dict(zip(("MinRange", "MaxRange"), one, strict=True))
              for one in ranges]  # fmt: skip
    wanted = {"BlockPublicSecurityGroupRules": blocked, "PermittedPublicSecurityGroupRuleRanges": listed}
    ask("PutBlockPublicAccessConfiguration", BlockPublicAccessConfiguration=wanted, **more)


def get(ask, **more):
    return ask("GetBlockPublicAccessConfiguration", **more)


def test_by_default_only_port_22_may_be_open_to_all(ask):
    told = get(ask)
    assert told["BlockPublicAccessConfiguration"] == {
        "BlockPublicSecurityGroupRules": True,
        "PermittedPublicSecurityGroupRuleRanges": [{"MinRange": 22, "MaxRange": 22}],
    }
    about = told["BlockPublicAccessConfigurationMetadata"]
    assert about["CreatedByArn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert get(ask)["BlockPublicAccessConfigurationMetadata"] == about


def test_what_is_put_is_in_force_with_its_own_date_in_its_own_account(ask):
    before = get(ask)["BlockPublicAccessConfigurationMetadata"]["CreationDateTime"]
    put(ask, False, 23, (100, 101))
    told = get(ask)
    assert told["BlockPublicAccessConfiguration"] == {
        "BlockPublicSecurityGroupRules": False,
        "PermittedPublicSecurityGroupRuleRanges": [
            {"MinRange": 23, "MaxRange": 23},
            {"MinRange": 100, "MaxRange": 101},
        ],
    }
    assert told["BlockPublicAccessConfigurationMetadata"]["CreationDateTime"] > before
    assert get(ask, account="210987654321")["BlockPublicAccessConfiguration"]["BlockPublicSecurityGroupRules"] is True


def test_a_range_that_goes_backwards_is_refused_and_changes_nothing(ask):
    with pytest.raises(AwsError, match="not from 30 to 20") as refused:
        put(ask, True, (30, 20))
    assert refused.value.code == "InvalidRequestException"
    assert get(ask)["BlockPublicAccessConfiguration"]["PermittedPublicSecurityGroupRuleRanges"] == [
        {"MinRange": 22, "MaxRange": 22}
    ]


def test_a_cluster_whose_group_is_open_to_all_is_not_launched(launch, network):
    network.groups["sg-2"] = [rule(8443, WORLD)]
    life = launch(Instances={"EmrManagedMasterSecurityGroup": "sg-1", "EmrManagedSlaveSecurityGroup": "sg-2"})
    life.until_state("TERMINATED_WITH_ERRORS")
    assert life.reason == {
        "Code": "VALIDATION_ERROR",
        "Message": "The EC2 Security Groups [sg-2] contain one or more ingress rules to ports other than [22] "
        "which allow public access.",
    }
    assert life.ask("ListInstances", ClusterId=life.id)["Instances"] == []


@pytest.mark.parametrize("kind", [*public_access.SINGLE, *public_access.LISTS])
def test_every_kind_of_group_is_looked_at(launch, network, kind):
    network.groups["sg-2"] = [rule(80, WORLD)]
    launch(Instances={kind: "sg-2" if kind in public_access.SINGLE else ["sg-1", "sg-2"]}).until_state(
        "TERMINATED_WITH_ERRORS"
    )


@pytest.mark.parametrize(
    ("rules", "permitted", "said"),
    [
        ([rule(22, WORLD)], [22], ""),
        ([rule(443, HOME)], [22], ""),
        ([], [], ""),
        ([rule(22, WORLD)], [], "[]"),
        ([rule(22, "::/0")], [80], "[80]"),
        ([rule(100, WORLD, until=101)], [22, (100, 101)], ""),
        ([rule(100, WORLD, until=102)], [22, (100, 101)], "[22, 100-101]"),
        ([rule(100, WORLD, until=102)], [(100, 101), 102], ""),
        ([rule(None, WORLD, protocol="-1")], [22], "[22]"),
        ([rule(None, WORLD, protocol="-1")], [(0, 65535)], ""),
        ([rule(-1, WORLD, protocol="icmp")], [22], "[22]"),
        ([rule(-1, WORLD, protocol="icmp")], [-1], ""),
        ([rule(22, HOME, WORLD), rule(9000, HOME, "::/0")], [22], "[22]"),
    ],
)
def test_a_rule_is_permitted_when_all_its_ports_are(emr, ask, network, rules, permitted, said):
    put(ask, True, *permitted)
    network.groups["sg-1"] = rules
    found = public_access.violation(emr.history, "", cluster(EmrManagedMasterSecurityGroup="sg-1"))
    assert (f"other than {said} which" in found) if said else found == ""


def cluster(**ec2):
    from .test_operations import record

    return record(1, ec2=ec2)


def test_a_cluster_in_a_private_subnet_may_have_open_groups(emr, network):
    network.groups["sg-1"] = [rule(80, WORLD)]
    for subnet, refused in (("subnet-1", True), ("subnet-6", False)):
        found = cluster(ServiceAccessSecurityGroup="sg-1", Ec2SubnetId=subnet)
        assert bool(public_access.violation(emr.history, "", found)) is refused


def test_without_blocking_anything_may_be_open(ask, launch, network):
    put(ask, False)
    network.groups["sg-1"] = [rule(80, WORLD)]
    launch(Instances={"AdditionalMasterSecurityGroups": ["sg-1"]}).until_state("WAITING")


def test_a_group_that_is_not_there_ends_the_cluster_in_ec2s_words(launch, network):
    life = launch(Instances={"EmrManagedMasterSecurityGroup": "sg-none"}).until_state("TERMINATED_WITH_ERRORS")
    assert life.reason == {"Code": "VALIDATION_ERROR", "Message": "The security group 'sg-none' does not exist"}


def test_without_groups_nobody_is_asked(launch, network):
    launch().until_state("WAITING")
    assert network.asked == 0
