"""EMR's default roles, in every account that uses EMR or IAM here: as in an account that has used EMR before.

They are what ``aws emr create-default-roles`` creates, which finds them here and is content. Where it does not, it
fails: it reads EMR's service principal off the endpoint's host name. Made once: what a learner deletes stays deleted.
``emr_policies.json`` tells what AWS's managed policies for EMR allow ("AWS Managed Policy Reference", 2025).
"""

from __future__ import annotations

import json
from pathlib import Path

from ..home import Home
from . import ministack_hooks as hooks
from . import ministack_iam as iam

SCOPES = ("elasticmapreduce", "iam", "sts")
SERVICE = "arn:aws:iam::aws:policy/service-role"
EC2, EMR, SCALING = "ec2.amazonaws.com", "elasticmapreduce.amazonaws.com", "application-autoscaling.amazonaws.com"
# Role → whom it trusts, its managed policy.
ROLES = {
    "EMR_DefaultRole": ([EMR], "AmazonElasticMapReduceRole"),
    "EMR_EC2_DefaultRole": ([EC2], "AmazonElasticMapReduceforEC2Role"),
    "EMR_AutoScaling_DefaultRole": ([EMR, SCALING], "AmazonElasticMapReduceforAutoScalingRole"),
}
PROFILE = "EMR_EC2_DefaultRole"


class DefaultRoles:
    """Remembers in the home which accounts have been given theirs."""

    def __init__(self, home: Home) -> None:
        self.file: Path = hooks.folder(home) / "default-roles"
        try:
            self.made = set(self.file.read_text().split())
        except OSError:
            self.made = set()

    def make(self, account: str) -> bool:
        """Whether they were made just now: then ``remember`` it once IAM's state is on disk."""
        if account in self.made:
            return False
        self.made.add(account)
        for name, (trusted, policy) in ROLES.items():
            statement = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
            trust = json.dumps({"Version": "2008-10-17", "Statement": [{"Sid": "", **statement}]})
            iam.query(account, "CreateRole", RoleName=name, AssumeRolePolicyDocument=trust)
            iam.query(account, "AttachRolePolicy", RoleName=name, PolicyArn=f"{SERVICE}/{policy}")
        iam.query(account, "CreateInstanceProfile", InstanceProfileName=PROFILE)
        iam.query(account, "AddRoleToInstanceProfile", InstanceProfileName=PROFILE, RoleName=PROFILE)
        return True

    def remember(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_suffix(".new")
        temporary.write_text("".join(f"{one}\n" for one in sorted(self.made)))
        temporary.replace(self.file)
