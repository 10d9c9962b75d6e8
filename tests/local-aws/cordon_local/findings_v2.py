"""Findings of Security Hub without CSPM, in OCSF: what is accepted, filled in, kept and found.

https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-ocsf-findings.html
"""

import hashlib
import json

from cordon_local import REGION
from cordon_local.api_model import Refused

# https://schema.ocsf.io/1.6.0/classes/detection_finding
SEVERITIES = {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical", 6: "Fatal", 99: "Other"}
STATUSES = {0: "Unknown", 1: "New", 2: "In Progress", 3: "Suppressed", 4: "Resolved", 5: "Archived", 99: "Other"}
CUSTOMERS = ("status_id", "status", "comment")
LONGEST_COMMENT = 512


class Misformed(Exception):
    """The finding is none that Security Hub sends."""


def check(finding: dict) -> None:
    for path in ("finding_info.uid", "metadata.product.uid", "cloud.account.uid"):
        value = at(finding, path)
        if not isinstance(value, str) or not value:
            raise Misformed(f"`{path}` should be a string that is not empty")
    if ":productv2/" not in at(finding, "metadata.product.uid"):
        raise Misformed("`metadata.product.uid` should be the ARN of a `productv2`")
    resources = finding.get("resources")
    if not isinstance(resources, list) or not all(isinstance(each, dict) for each in resources):
        raise Misformed("`resources` should be a list of objects")


def at(finding: dict, path: str):
    value = finding
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def filled_in(finding: dict) -> dict:
    """A new finding with what Security Hub adds to it; `metadata.uid` is a digest of what else identifies it."""
    named = [at(finding, path) for path in ("metadata.product.uid", "cloud.account.uid", "finding_info.uid")]
    filled = {
        "class_uid": 2004,
        "severity": SEVERITIES.get(finding.get("severity_id"), "Unknown"),
        "status_id": 1,
        "status": STATUSES.get(finding.get("status_id", 1), "Other"),
        **finding,
    }
    filled["metadata"] = {"uid": hashlib.sha256(json.dumps(named).encode()).hexdigest(), **finding["metadata"]}
    filled["cloud"] = {"region": REGION, "provider": "AWS", **finding["cloud"]}
    return filled


def sent_again(present: dict, finding: dict) -> dict:
    """What customers have said of a finding stays theirs."""
    kept = {field: present[field] for field in CUSTOMERS if field in present}
    return {**filled_in(finding), "activity_id": 2, "activity_name": "Update", **kept}


def checked_update(given: dict) -> dict:
    """What BatchUpdateFindingsV2 sets.

    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html
    """
    if bool(given.get("MetadataUids")) == bool(given.get("FindingIdentifiers")):
        raise Refused("ValidationException", "exactly one of MetadataUids and FindingIdentifiers must be given")
    update = {}
    if "Comment" in given:
        if not 1 <= len(given["Comment"]) <= LONGEST_COMMENT:
            raise Refused("ValidationException", "Comment must have from 1 to 512 characters")
        update["comment"] = given["Comment"]
    for member, field, captions in (("SeverityId", "severity", SEVERITIES), ("StatusId", "status", STATUSES)):
        if member in given:
            if given[member] not in captions:
                raise Refused("ValidationException", f"{member} must be one of {sorted(captions)}")
            update |= {f"{field}_id": given[member], field: captions[given[member]]}
    if not update:
        raise Refused("ValidationException", "nothing to update")
    return update


def is_named(finding: dict, identifier) -> bool:
    """By `metadata.uid`, or by what else identifies it."""
    if isinstance(identifier, str):
        return at(finding, "metadata.uid") == identifier
    named = {
        "CloudAccountUid": at(finding, "cloud.account.uid"),
        "FindingInfoUid": at(finding, "finding_info.uid"),
        "MetadataProductUid": at(finding, "metadata.product.uid"),
    }
    return identifier == named


_COMPARISONS = {
    "EQUALS": lambda value, wanted: value == wanted,
    "PREFIX": lambda value, wanted: value.startswith(wanted),
    "CONTAINS": lambda value, wanted: wanted in value,
}


def matches(finding: dict, filters: dict) -> bool:
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_OcsfFindingFilters.html"""
    composite = [_meets(finding, each) for each in filters.get("CompositeFilters", [])]
    return _joined(filters.get("CompositeOperator", "AND"), composite)


def _meets(finding: dict, composite: dict) -> bool:
    met = []
    for name, conditions in composite.items():
        if name == "StringFilters":
            met += [_is(at(finding, each["FieldName"]), each["Filter"]) for each in conditions]
        elif name == "NumberFilters":
            met += [at(finding, each["FieldName"]) == each["Filter"].get("Eq") for each in conditions]
        elif name != "Operator":
            raise Refused("ValidationException", f"the local AWS has no `{name}`")
    return _joined(composite.get("Operator", "AND"), met)


def _is(value, condition: dict) -> bool:
    comparison = condition["Comparison"]
    if comparison not in _COMPARISONS:
        raise Refused("ValidationException", f"the local AWS does not compare by `{comparison}`")
    return isinstance(value, str) and _COMPARISONS[comparison](value, condition["Value"])


def _joined(operator: str, met: list[bool]) -> bool:
    return not met or (all(met) if operator == "AND" else any(met))
