"""S3 as EMR uses it: like any client, over the region's endpoint."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

SECRET = "test"


class S3Error(Exception):
    """S3 did not give or take something; the message says what and why."""


class S3:
    """``s3://`` paths of one account."""

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        self.client = client(endpoint, account, region)

    def has_bucket(self, uri: str) -> bool:
        try:
            self.client.head_bucket(Bucket=split(uri)[0])
        except ClientError:
            return False
        except BotoCoreError as error:
            raise S3Error(f"S3 does not answer: {error}") from error
        return True

    def exists(self, uri: str) -> bool:
        """Whether there is an object of this name."""
        bucket, key = split(uri)
        try:
            self.client.head_object(Bucket=bucket, Key=key)
        except ClientError:
            return False
        except BotoCoreError as error:
            raise S3Error(f"S3 does not answer: {error}") from error
        return True

    def download(self, uri: str, file: Path) -> None:
        """Raises ``S3Error``, ``OSError``."""
        bucket, key = split(uri)
        try:
            self.client.download_file(bucket, key, str(file))
        except (ClientError, BotoCoreError, Boto3Error) as error:
            raise S3Error(f"{uri}: {error}") from error

    def put(self, uri: str, content: bytes) -> None:
        """Raises ``S3Error``."""
        bucket, key = split(uri)
        try:
            self.client.put_object(Bucket=bucket, Key=key, Body=content)
        except (ClientError, BotoCoreError) as error:
            raise S3Error(f"{uri}: {error}") from error


def split(uri: str) -> tuple[str, str]:
    """Bucket and key."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def is_s3(uri: str) -> bool:
    return uri.partition("://")[0] in ("s3", "s3n", "s3a")


@functools.lru_cache
def client(endpoint: str, account: str, region: str) -> Any:
    import boto3
    from botocore.config import Config

    settings = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}, connect_timeout=5)
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=account,  # twelve digits are that account's root
        aws_secret_access_key=SECRET,
        config=settings,
    )
