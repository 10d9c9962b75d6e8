"""Whatever a user can sign in with: each kind of credential has its own operations."""

import hashlib
import re
from datetime import datetime, timedelta

from ministack.core.iam_evaluator import caller_arn
from ministack.core.responses import AccountScopedDict, get_account_id, request_scope
from ministack.services import iam

from cordon_local import REGION, local_paths
from cordon_local.api_model import Refused
from cordon_local.iam_operations import limited, now, operation, secret, unique_id, without
from cordon_local.identities import ROOT, USERS, existing

ACCESS_KEYS_PER_USER = 2
SSH_KEYS_PER_USER = 5
CERTIFICATES_PER_USER = 2
CREDENTIALS_PER_SERVICE = 2

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html
SERVICES = (
    "bedrock.amazonaws.com",
    "cassandra.amazonaws.com",
    "codecommit.amazonaws.com",
    "logs.amazonaws.com",
)

_ssh_keys = AccountScopedDict()
_certificates = AccountScopedDict()
_service_credentials = AccountScopedDict()
# When, where and for what a key was used last: key id -> AccessKeyLastUsed.
_last_used: dict[str, dict] = {}


def held(user_name: str) -> dict[str, list[dict]]:
    """A user's credentials that stand in the way of its deletion."""
    return {
        "access keys": _of(iam._access_keys, user_name),
        "public keys": _of(_ssh_keys, user_name),
        "signing certificates": _of(_certificates, user_name),
        "service specific credentials": _of(_service_credentials, user_name),
        "MFA device": [device for device in iam._mfa_devices.values() if device["User"] == user_name],
    }


def _of(store: AccountScopedDict, user_name: str) -> list[dict]:
    return [credential for credential in store.values() if credential["UserName"] == user_name]


def _owner(given: dict) -> str:
    if given["UserName"] == ROOT:
        return ROOT
    return existing(USERS, given["UserName"])["UserName"]


def _owned(store: AccountScopedDict, given: dict, id_parameter: str, noun: str) -> dict:
    """A credential by its id, if it belongs to the user that the request names."""
    owner = _owner(given)
    credential = store.get(given[id_parameter])
    if credential is None or credential["UserName"] != owner:
        raise Refused("NoSuchEntity", f"The {noun} with id {given[id_parameter]} cannot be found.", 404)
    return credential


# Access keys


@operation("CreateAccessKey")
def create_access_key(given: dict) -> dict:
    owner = _owner(given)
    limited(len(_of(iam._access_keys, owner)), "AccessKeysPerUser", ACCESS_KEYS_PER_USER)
    key = {
        "UserName": owner,
        "AccessKeyId": unique_id("AKIA", 16),
        "Status": "Active",
        "SecretAccessKey": secret(),
        "CreateDate": now(),
    }
    iam._access_keys[key["AccessKeyId"]] = key
    return {"AccessKey": key}


@operation("ListAccessKeys")
def list_access_keys(given: dict) -> dict:
    return {"AccessKeyMetadata": [without(key, "SecretAccessKey") for key in _of(iam._access_keys, _owner(given))]}


@operation("UpdateAccessKey")
def update_access_key(given: dict) -> None:
    _owned(iam._access_keys, given, "AccessKeyId", "Access Key")["Status"] = given["Status"]


@operation("DeleteAccessKey")
def delete_access_key(given: dict) -> None:
    key = _owned(iam._access_keys, given, "AccessKeyId", "Access Key")
    iam._access_keys.pop(key["AccessKeyId"])


def note_use(access_key_id: str, service: str, region: str) -> None:
    """Remember the use of a key, for whoever asks later."""
    _last_used[access_key_id] = {"LastUsedDate": now(), "ServiceName": service, "Region": region}


@operation("GetAccessKeyLastUsed")
def get_access_key_last_used(given: dict) -> dict:
    """Names the owner of a key of any user of the account, used or not.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html
    """
    key_id = given["AccessKeyId"]
    key = iam._access_keys.get(key_id)
    if key is None:
        # Not NoSuchEntity: AWS does not say whether another account has the key.
        action = "iam:GetAccessKeyLastUsed on resource: access key"
        raise Refused("AccessDenied", f"User: {caller_arn()} is not authorized to perform: {action} {key_id}", 403)
    never = {"ServiceName": "N/A", "Region": "N/A"}
    return {"UserName": key["UserName"], "AccessKeyLastUsed": _last_used.get(key_id, never)}


# Console passwords: only their existence is kept, nobody signs in here.


def _login_profile(given: dict) -> dict:
    name = _owner(given)
    if name not in iam._login_profiles:
        raise Refused("NoSuchEntity", f"Login Profile for User {name} cannot be found.", 404)
    return iam._login_profiles[name]


@operation("CreateLoginProfile")
def create_login_profile(given: dict) -> dict:
    name = _owner(given)
    if name in iam._login_profiles:
        raise Refused("EntityAlreadyExists", f"Login Profile for user {name} already exists.", 409)
    reset = given.get("PasswordResetRequired", False)
    iam._login_profiles[name] = {"UserName": name, "CreateDate": now(), "PasswordResetRequired": reset}
    return {"LoginProfile": iam._login_profiles[name]}


@operation("GetLoginProfile")
def get_login_profile(given: dict) -> dict:
    return {"LoginProfile": _login_profile(given)}


@operation("DeleteLoginProfile")
def delete_login_profile(given: dict) -> None:
    iam._login_profiles.pop(_login_profile(given)["UserName"])


# SSH public keys


@operation("UploadSSHPublicKey")
def upload_ssh_public_key(given: dict) -> dict:
    owner, body = _owner(given), given["SSHPublicKeyBody"].strip()
    if not re.match(r"(ssh-rsa \S+|-----BEGIN PUBLIC KEY-----)", body):
        raise Refused("UnrecognizedPublicKeyEncoding", "Public key is not in a recognized format.")
    if any(key["SSHPublicKeyBody"] == body for key in _of(_ssh_keys, owner)):
        raise Refused("DuplicateSSHPublicKey", "The SSH public key is already associated with the specified user.")
    limited(len(_of(_ssh_keys, owner)), "SSHPublicKeysPerUser", SSH_KEYS_PER_USER)
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    key = {
        "UserName": owner,
        "SSHPublicKeyId": unique_id("APKA", 16),
        "Fingerprint": ":".join(re.findall("..", digest)),
        "SSHPublicKeyBody": body,
        "Status": "Active",
        "UploadDate": now(),
    }
    _ssh_keys[key["SSHPublicKeyId"]] = key
    return {"SSHPublicKey": key}


@operation("GetSSHPublicKey")
def get_ssh_public_key(given: dict) -> dict:
    return {"SSHPublicKey": _owned(_ssh_keys, given, "SSHPublicKeyId", "Public Key")}


@operation("ListSSHPublicKeys")
def list_ssh_public_keys(given: dict) -> dict:
    keys = _of(_ssh_keys, _owner(given))
    return {"SSHPublicKeys": [without(key, "SSHPublicKeyBody", "Fingerprint") for key in keys]}


@operation("UpdateSSHPublicKey")
def update_ssh_public_key(given: dict) -> None:
    _owned(_ssh_keys, given, "SSHPublicKeyId", "Public Key")["Status"] = given["Status"]


@operation("DeleteSSHPublicKey")
def delete_ssh_public_key(given: dict) -> None:
    key = _owned(_ssh_keys, given, "SSHPublicKeyId", "Public Key")
    _ssh_keys.pop(key["SSHPublicKeyId"])


# Signing certificates


@operation("UploadSigningCertificate")
def upload_signing_certificate(given: dict) -> dict:
    owner, body = _owner(given), given["CertificateBody"].strip()
    if not re.fullmatch(r"-----BEGIN CERTIFICATE-----\s[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----", body):
        raise Refused("MalformedCertificate", "Unable to parse certificate.")
    if any(certificate["CertificateBody"] == body for certificate in _of(_certificates, owner)):
        raise Refused("DuplicateCertificate", "The certificate is already associated with an IAM user.", 409)
    limited(len(_of(_certificates, owner)), "SigningCertificatesPerUser", CERTIFICATES_PER_USER)
    certificate = {
        "UserName": owner,
        "CertificateId": unique_id("", 32),
        "CertificateBody": body,
        "Status": "Active",
        "UploadDate": now(),
    }
    _certificates[certificate["CertificateId"]] = certificate
    return {"Certificate": certificate}


@operation("ListSigningCertificates")
def list_signing_certificates(given: dict) -> dict:
    return {"Certificates": _of(_certificates, _owner(given))}


@operation("UpdateSigningCertificate")
def update_signing_certificate(given: dict) -> None:
    _owned(_certificates, given, "CertificateId", "Certificate")["Status"] = given["Status"]


@operation("DeleteSigningCertificate")
def delete_signing_certificate(given: dict) -> None:
    certificate = _owned(_certificates, given, "CertificateId", "Certificate")
    _certificates.pop(certificate["CertificateId"])


# Service-specific credentials


@operation("CreateServiceSpecificCredential")
def create_service_specific_credential(given: dict) -> dict:
    owner, service = _owner(given), given["ServiceName"]
    if service not in SERVICES:
        raise Refused("NotSupportedService", f"No such service {service} is supported.", 404)
    present = [each for each in _of(_service_credentials, owner) if each["ServiceName"] == service]
    limited(len(present), "ServiceSpecificCredentialsPerUser", CREDENTIALS_PER_SERVICE)
    credential = {
        "CreateDate": now(),
        "ServiceName": service,
        "ServiceUserName": f"{owner}+{len(present) + 1}-at-{get_account_id()}",
        "ServicePassword": secret(44),
        "ServiceSpecificCredentialId": unique_id("ACCA"),
        "UserName": owner,
        "Status": "Active",
    }
    if "CredentialAgeDays" in given:
        credential["ExpirationDate"] = _later(credential["CreateDate"], given["CredentialAgeDays"])
    _service_credentials[credential["ServiceSpecificCredentialId"]] = credential
    return {"ServiceSpecificCredential": credential}


@operation("ListServiceSpecificCredentials")
def list_service_specific_credentials(given: dict) -> dict:
    everybody = given.get("AllUsers")
    listed = [
        _shown(credential)
        for credential in (_service_credentials.values() if everybody else _of(_service_credentials, _owner(given)))
        if given.get("ServiceName", credential["ServiceName"]) == credential["ServiceName"]
    ]
    return {"ServiceSpecificCredentials": listed}


def _shown(credential: dict) -> dict:
    """A credential in a list; its status is `Expired` from its end on.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ServiceSpecificCredentialMetadata.html
    """
    expired = credential.get("ExpirationDate", "9") <= now()
    return {**without(credential, "ServicePassword"), **({"Status": "Expired"} if expired else {})}


@operation("UpdateServiceSpecificCredential")
def update_service_specific_credential(given: dict) -> None:
    credential = _owned(_service_credentials, given, "ServiceSpecificCredentialId", "service specific credential")
    credential["Status"] = given["Status"]


@operation("DeleteServiceSpecificCredential")
def delete_service_specific_credential(given: dict) -> None:
    credential = _owned(_service_credentials, given, "ServiceSpecificCredentialId", "service specific credential")
    _service_credentials.pop(credential["ServiceSpecificCredentialId"])


# MFA devices: assigned with the emulator's EnableMFADevice.


@operation("ListMFADevices")
def list_mfa_devices(given: dict) -> dict:
    name = _owner(given)
    return {
        "MFADevices": [
            {"UserName": name, "SerialNumber": device["SerialNumber"], "EnableDate": device["EnableDate"]}
            for device in iam._mfa_devices.values()
            if device["User"] == name
        ]
    }


# What only time can do


def _later(date: str, days: int) -> str:
    return (datetime.fromisoformat(date) + timedelta(days=days)).isoformat().replace("+00:00", "Z")


async def _age(_query: dict[str, str], request: object) -> local_paths.Answer:
    """As if so many days had passed: a user's keys, their last use, their end and its password grow older."""
    match request:
        case {"account": str(account), "userName": str(name), "days": int(days)}:
            with request_scope(account, REGION):
                keys = _of(iam._access_keys, name)
                used = [_last_used[key["AccessKeyId"]] for key in keys if key["AccessKeyId"] in _last_used]
                expiring = [each for each in _of(_service_credentials, name) if "ExpirationDate" in each]
                passwords = [iam._login_profiles[name]] if name in iam._login_profiles else []
            dated = [(record, "CreateDate") for record in keys + passwords]
            dated += [(record, "LastUsedDate") for record in used]
            dated += [(record, "ExpirationDate") for record in expiring]
            for record, field in dated:
                record[field] = _later(record[field], -days)
            return 200, {"aged": len(dated)}
    return 400, {"message": "the body must have `account`, `userName` and `days`"}


local_paths.add("POST", "/_local/iam/age", _age)
