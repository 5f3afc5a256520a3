"""HTTP addresses of objects in S3."""

from collections.abc import Iterator

from nwb_neurid.errors import UnreadableSource

VALID_S = 12 * 3600


def http_addresses(url: str) -> Iterator[str]:
    """Return the public address and, if this machine has credentials, the address that is signed with them.

    Endpoint, region and credentials are those of the AWS configuration and its environment variables.

    Parameters
    ----------
    url
        `s3://bucket/key`.

    Raises
    ------
    UnreadableSource
        If the URL does not have this form, boto3 is missing, or the AWS configuration is invalid.
    """
    try:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise UnreadableSource(f"{url} is in S3. To read it there: pip install boto3 remfile requests") from error
    bucket, _, key = url.partition("://")[2].partition("/")
    if not bucket or not key:
        raise UnreadableSource(f"{url} is not the address of an object in S3. Write s3://bucket/key.")
    try:
        session = boto3.Session()
        for signature in (UNSIGNED, "s3v4"):
            if signature is UNSIGNED or session.get_credentials() is not None:
                client = session.client("s3", config=Config(signature_version=signature))
                yield client.generate_presigned_url(
                    "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=VALID_S
                )
    except (BotoCoreError, ValueError) as error:  # boto3 raises ValueError if an endpoint is not a URL
        raise UnreadableSource(f"{url} cannot be read: {error}. Check the AWS configuration.") from error
