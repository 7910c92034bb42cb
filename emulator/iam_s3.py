"""Which permissions an S3 request needs. S3's IAM actions are not named after its operations, and its requests carry
no operation name: both follow from the HTTP method, the path and the query string.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, unquote, urlsplit

import xmltodict
from moto.s3.models import FakeBucket, FakeKey, s3_backends

from emulator import iam_kms
from emulator.iam_resources import Need


@dataclass(frozen=True)
class S3Request:
    """One request: `bucket` and `key` are empty where the path has none, `query` holds the first value of each name."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    region: str

    @property
    def deletes_many(self) -> bool:
        """DeleteObjects: each key is decided, and answered, by itself."""
        return self.method == "POST" and not self.key and "delete" in self.query


def find_bucket(name: str) -> tuple[str, FakeBucket] | None:
    """A bucket and the account that owns it; bucket names are global."""
    for account, partitions in list(s3_backends.items()):
        bucket = partitions["aws"].buckets.get(name)
        if bucket is not None:
            return account, bucket
    return None


def needs(request: S3Request) -> list[Need]:
    """Every permission that the request needs."""
    context = _context(request)
    return [replace(need, context={**context, **need.context}) for need in _needs(request)]


def _needs(request: S3Request) -> Iterator[Need]:
    if not request.bucket:
        yield Need("s3:ListAllMyBuckets", "*")
    elif request.deletes_many:
        yield from _delete_objects(request)
    elif request.key:
        yield from _object_needs(request)
    else:
        yield Need(f"s3:{_bucket_action(request)}", _arn(request.bucket))


def _context(request: S3Request) -> dict[str, str]:
    context = {
        f"s3:{name.lower()}": request.query[name]
        for name in ("prefix", "delimiter", "max-keys", "versionId")
        if name in request.query
    }
    for name, value in request.headers.items():
        if name.lower().startswith(("x-amz-acl", "x-amz-server-side-encryption", "x-amz-copy-source")):
            context[f"s3:{name.lower()}"] = value
    return context


def _arn(bucket: str, key: str | None = None) -> str:
    return f"arn:aws:s3:::{bucket}" if key is None else f"arn:aws:s3:::{bucket}/{key}"


# --- Buckets

_BUCKET_SUBRESOURCES = {
    "accelerate": "AccelerateConfiguration",
    "acl": "BucketAcl",
    "analytics": "AnalyticsConfiguration",
    "cors": "BucketCORS",
    "encryption": "EncryptionConfiguration",
    "intelligent-tiering": "IntelligentTieringConfiguration",
    "inventory": "InventoryConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "metrics": "MetricsConfiguration",
    "notification": "BucketNotification",
    "object-lock": "BucketObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "replication": "ReplicationConfiguration",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
_BUCKET_LISTINGS = {"uploads": "ListBucketMultipartUploads", "versions": "ListBucketVersions"}
_BUCKET_ACTIONS = {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}


def _bucket_action(request: S3Request) -> str:
    for name, listing in _BUCKET_LISTINGS.items():
        if name in request.query:
            return listing
    for name, stem in _BUCKET_SUBRESOURCES.items():
        if name in request.query:
            if request.method == "DELETE" and name in ("policy", "website"):
                return f"Delete{stem}"  # the others are removed by whoever may write them
            return f"Get{stem}" if request.method in ("GET", "HEAD") else f"Put{stem}"
    return _BUCKET_ACTIONS.get(request.method, "PutObject")  # a browser's form POSTs an object to its bucket


def _delete_objects(request: S3Request) -> Iterator[Need]:
    objects = xmltodict.parse(request.body, force_list=("Object",), strip_whitespace=False)["Delete"].get("Object", [])
    for each in objects:
        action = "s3:DeleteObjectVersion" if each.get("VersionId") else "s3:DeleteObject"
        yield Need(action, _arn(request.bucket, each["Key"]))


# --- Objects

_OBJECT_SUBRESOURCES = {
    "GET": {
        "uploadId": "ListMultipartUploadParts",
        "acl": "GetObjectAcl",
        "tagging": "GetObjectTagging",
        "retention": "GetObjectRetention",
        "legal-hold": "GetObjectLegalHold",
    },
    "PUT": {
        "acl": "PutObjectAcl",
        "tagging": "PutObjectTagging",
        "retention": "PutObjectRetention",
        "legal-hold": "PutObjectLegalHold",
    },
    "POST": {"restore": "RestoreObject", "select": "GetObject"},
    "DELETE": {"uploadId": "AbortMultipartUpload", "tagging": "DeleteObjectTagging"},
}


def _object_needs(request: S3Request) -> Iterator[Need]:
    resource = _arn(request.bucket, request.key)
    for name, action in _OBJECT_SUBRESOURCES.get(request.method, {}).items():
        if name in request.query:
            yield Need(f"s3:{action}", resource)
            return
    if request.method in ("GET", "HEAD"):
        yield from _read(request, request.bucket, request.key, request.query.get("versionId"))
    elif request.method == "DELETE":
        yield Need("s3:DeleteObjectVersion" if "versionId" in request.query else "s3:DeleteObject", resource)
    else:
        yield from _write(request, resource)


def _read(request: S3Request, bucket: str, key: str, version: str | None) -> Iterator[Need]:
    yield Need("s3:GetObjectVersion" if version else "s3:GetObject", _arn(bucket, key))
    owned = find_bucket(bucket)
    if owned is None:
        return
    account, found = owned
    stored = _stored(found, key, version)
    if stored is None:
        # Whether an object exists is told only to those who may list: others get 403 where 404 is expected.
        yield Need("s3:ListBucket", _arn(bucket))
    elif stored.encryption == "aws:kms" and _reads_content(request):
        bucket_key = str(stored.bucket_key_enabled).lower() == "true"
        encrypted = _arn(bucket) if bucket_key else _arn(bucket, key)
        yield from _key_use(["kms:Decrypt"], stored.kms_key_id, account, request.region, encrypted)


def _stored(bucket: FakeBucket, key: str, version: str | None) -> FakeKey | None:
    versions = [each for each in bucket.keys.getlist(key, []) if version in (None, each.version_id)]
    return versions[-1] if versions and isinstance(versions[-1], FakeKey) else None


def _reads_content(request: S3Request) -> bool:
    """What describes an object is not encrypted, but for its checksum."""
    return request.method != "HEAD" or request.headers.get("x-amz-checksum-mode") == "ENABLED"


def _write(request: S3Request, resource: str) -> Iterator[Need]:
    yield Need("s3:PutObject", resource)
    if source := request.headers.get("x-amz-copy-source"):
        parts = urlsplit(source)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        yield from _read(request, bucket, key, parse_qs(parts.query).get("versionId", [None])[0])
    if request.headers.get("x-amz-tagging"):
        yield Need("s3:PutObjectTagging", resource)
    if owned := find_bucket(request.bucket):
        yield from _encryption(request, resource, *owned)


def _encryption(request: S3Request, resource: str, account: str, bucket: FakeBucket) -> Iterator[Need]:
    """The data key of an upload in parts is made when it begins; each part and its end decrypt it."""
    upload = bucket.multiparts.get(request.query.get("uploadId"))
    algorithm = upload.sse_encryption if upload else request.headers.get("x-amz-server-side-encryption")
    key = upload.kms_key_id if upload else request.headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    bucket_key = request.headers.get("x-amz-server-side-encryption-bucket-key-enabled")
    if algorithm is None and bucket.encryption:
        rule = bucket.encryption["Rule"]
        default = rule["ApplyServerSideEncryptionByDefault"]
        algorithm, key = default["SSEAlgorithm"], default.get("KMSMasterKeyID")
        bucket_key = rule.get("BucketKeyEnabled")
    if algorithm == "aws:kms":
        action = "kms:Decrypt" if upload else "kms:GenerateDataKey"
        encrypted = _arn(request.bucket) if bucket_key == "true" else resource
        yield from _key_use([action], key, account, request.region, encrypted)


def _key_use(actions: list[str], key: str | None, account: str, region: str, encrypted: str) -> list[Need]:
    """`encrypted`: the ARN of the object, or of the bucket where one data key serves many objects."""
    context = {"aws:s3:arn": encrypted}
    return iam_kms.use(actions, key, via="s3", account=account, region=region, encryption_context=context)
