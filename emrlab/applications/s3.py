"""``s3://`` on a cluster: Hadoop's own S3A, standing in for EMRFS, which is Amazon's and not to be had."""

from __future__ import annotations

from .application import Site

COMMITTERS = "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory"
SCHEMES = ("s3", "s3a", "s3n")


def core_site(site: Site) -> dict[str, object]:
    """What ``core-site.xml`` needs for ``s3://``, ``s3a://`` and ``s3n://`` paths."""
    schemes = {
        f"fs.{scheme}.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem" for scheme in SCHEMES if scheme != "s3a"
    } | {f"fs.AbstractFileSystem.{scheme}.impl": "org.apache.hadoop.fs.s3a.S3A" for scheme in SCHEMES}
    return {
        **schemes,
        "fs.s3a.endpoint": site.endpoint,
        "fs.s3a.endpoint.region": site.region,
        "fs.s3a.path.style.access": True,
        "fs.s3a.connection.ssl.enabled": False,
        **credentials(site),
        # Work is committed by completing uploads, as EMRFS's optimized committer does: S3 has no rename.
        "fs.s3a.committer.name": "magic",
        "fs.s3a.buffer.dir": "${hadoop.tmp.dir}/s3",
        "fs.s3a.multipart.size": "16M",
        "fs.s3a.bucket.probe": 0,
        "fs.s3a.retry.limit": 3,
        "fs.s3a.attempts.maximum": 3,
        "fs.s3a.change.detection.mode": "none",
        "fs.s3a.audit.enabled": False,
    }


def credentials(site: Site) -> dict[str, object]:
    """How S3A signs. The role's credentials come from where ``AWS_EC2_METADATA_SERVICE_ENDPOINT`` says."""
    provider = "fs.s3a.aws.credentials.provider"
    if site.keys is None:
        return {provider: "software.amazon.awssdk.auth.credentials.InstanceProfileCredentialsProvider"}
    access_key, secret = site.keys
    return {
        "fs.s3a.access.key": access_key,
        "fs.s3a.secret.key": secret,
        provider: "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    }


def committers() -> dict[str, object]:
    """Committers for MapReduce's and Spark's output to S3."""
    return {f"mapreduce.outputcommitter.factory.scheme.{scheme}": COMMITTERS for scheme in SCHEMES}
