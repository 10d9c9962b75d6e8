"""Findings in the AWS Security Finding Format: what is accepted, filled in, kept and found.

https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
"""

import json
import re
from datetime import datetime, timezone

from cordon_local import REGION
from cordon_local.api_model import Refused

MOST_BYTES = 240 * 1024
MOST_RESOURCES = 32
LONGEST = {"Id": 512, "ProductArn": 2048, "GeneratorId": 512, "Title": 256, "Description": 1024}
REQUIRED = (
    "SchemaVersion", "Id", "ProductArn", "GeneratorId", "AwsAccountId",
    "CreatedAt", "UpdatedAt", "Title", "Description", "Resources",
)  # fmt: skip
TIMESTAMPS = ("CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt")

# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Severity.html
LABELS = (("CRITICAL", 90), ("HIGH", 70), ("MEDIUM", 40), ("LOW", 1), ("INFORMATIONAL", 0))
NORMALIZED = dict(LABELS)

# https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
WORKFLOW_STATUSES = ("NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED")

# "BatchImportFindings cannot be used to update the following finding fields":
# https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
CUSTOMERS = ("Note", "UserDefinedFields", "VerificationState", "Workflow", "WorkflowState")
# The provider's, until a customer has updated them.
SHARED = ("Confidence", "Criticality", "RelatedFindings", "Severity", "Types")


class Misformed(Exception):
    """The finding is not in the format."""


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check(finding: dict) -> None:
    """Refuse a finding that Security Hub would not import."""
    for field in REQUIRED:
        if field not in finding:
            raise Misformed(f"data should have required property '{field}'")
    provided = finding.get("FindingProviderFields", {})
    for field in ("Severity", "Types"):
        if field not in finding and field not in provided:
            raise Misformed(f"data should have required property '{field}'")
    severity = finding.get("Severity", provided.get("Severity"))
    if not isinstance(severity, dict) or severity.get("Label", "LOW") not in NORMALIZED:
        raise Misformed("data.Severity.Label should be equal to one of the allowed values")
    if not {"Label", "Normalized"} & severity.keys():
        raise Misformed("data.Severity should have required property 'Label'")
    for field, longest in LONGEST.items():
        if not isinstance(finding[field], str) or not finding[field].strip():
            raise Misformed(f"data.{field} should be a string that is not empty")
        if len(finding[field]) > longest:
            raise Misformed(f"data.{field} should NOT be longer than {longest} characters")
    for field in TIMESTAMPS:
        if field in finding and not _is_timestamp(finding[field]):
            raise Misformed(f'data.{field} should match format "date-time"')
    if finding["SchemaVersion"] != "2018-10-08":
        raise Misformed("data.SchemaVersion should be equal to one of the allowed values")
    if not re.fullmatch(r"\d{12}", str(finding["AwsAccountId"])):
        raise Misformed('data.AwsAccountId should match pattern "^[0-9]{12}$"')
    resources = finding["Resources"]
    if not isinstance(resources, list) or not 1 <= len(resources) <= MOST_RESOURCES:
        raise Misformed(f"data.Resources should have from 1 to {MOST_RESOURCES} items")
    if not all(isinstance(each, dict) and each.get("Type") and each.get("Id") for each in resources):
        raise Misformed("data.Resources[] should have required properties 'Type' and 'Id'")
    if finding.get("RecordState", "ACTIVE") not in ("ACTIVE", "ARCHIVED"):
        raise Misformed("data.RecordState should be equal to one of the allowed values")
    if size(finding) > MOST_BYTES:
        raise Misformed("data should NOT be larger than 240 KB")


def _is_timestamp(text: object) -> bool:
    """ISO 8601 with a zone, as the format asks for."""
    return isinstance(text, str) and bool(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)", text)
    )


def size(finding: dict) -> int:
    return len(json.dumps(finding, separators=(",", ":")).encode())


def filled_in(finding: dict) -> dict:
    """A new finding with what Security Hub adds to it."""
    provided = finding.get("FindingProviderFields", {})
    severity = whole_severity({**provided.get("Severity", {}), **finding.get("Severity", {})})
    types = finding.get("Types", provided.get("Types"))
    product, company = _product(finding["ProductArn"])
    filled = {
        "ProductName": product,
        "CompanyName": company,
        "Region": REGION,
        "RecordState": "ACTIVE",
        "WorkflowState": "NEW",
        "Workflow": {"Status": "NEW"},
        **finding,
        "Severity": severity,
        "Types": types,
        "FindingProviderFields": {
            "Severity": {name: value for name, value in severity.items() if name in ("Label", "Original")},
            "Types": types,
            **provided,
        },
        "ProcessedAt": now(),
    }
    filled["ProductFields"] = {
        **finding.get("ProductFields", {}),
        "aws/securityhub/FindingId": f"{finding['ProductArn']}/{finding['Id']}",
        "aws/securityhub/ProductName": product,
        "aws/securityhub/CompanyName": company,
    }
    return filled


def whole_severity(severity: dict) -> dict:
    """Label and number say the same; the label wins."""
    if "Label" in severity:
        return {**severity, "Normalized": NORMALIZED[severity["Label"]]}
    return {**severity, "Label": next(label for label, least in LABELS if severity["Normalized"] >= least)}


def _product(arn: str) -> tuple[str, str]:
    known = {
        "aws/guardduty": ("GuardDuty", "Amazon"),
        "aws/securityhub": ("Security Hub", "AWS"),
        "aws/access-analyzer": ("IAM Access Analyzer", "AWS"),
    }
    _, _, product = arn.partition(":product/")
    if product.endswith("/default"):
        return "Default", "Personal"
    return known.get(product, (product.rpartition("/")[2], product.partition("/")[0]))


def reimported(present: dict, finding: dict, owned: set[str]) -> dict:
    """A finding that its provider sends again: what customers own stays theirs."""
    renewed = filled_in(finding)
    for field in (*CUSTOMERS, *(field for field in SHARED if field in owned)):
        if field in present:
            renewed[field] = present[field]
        else:
            renewed.pop(field, None)
    status = _workflow_status(present, renewed)
    renewed["Workflow"] = {**renewed["Workflow"], "Status": status}
    return renewed


def _workflow_status(before: dict, after: dict) -> str:
    """What became of the workflow status without anybody's doing.

    https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
    """
    status = before["Workflow"]["Status"]
    was, is_now = (finding.get("Compliance", {}).get("Status") for finding in (before, after))
    reactivated = (before["RecordState"], after["RecordState"]) == ("ARCHIVED", "ACTIVE")
    failed_again = was == "PASSED" and is_now in ("FAILED", "WARNING", "NOT_AVAILABLE")
    if status in ("NOTIFIED", "RESOLVED") and (reactivated or failed_again):
        return "NEW"
    control = after["ProductArn"].endswith(":product/aws/securityhub")
    if control and status in ("NEW", "NOTIFIED") and was not in (None, "PASSED") and is_now == "PASSED":
        return "RESOLVED"
    return status


def checked_update(update: dict) -> dict:
    """The fields that BatchUpdateFindings sets.

    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
    """
    note = update.get("Note")
    if note is not None:
        if not isinstance(note.get("Text"), str) or not 1 <= len(note["Text"]) <= 512:
            raise _invalid("Note.Text must have from 1 to 512 characters")
        if not str(note.get("UpdatedBy", "")).strip() or len(note["UpdatedBy"]) > 512:
            raise _invalid("Note.UpdatedBy must have from 1 to 512 characters")
    fields = update.get("UserDefinedFields")
    if fields is not None:
        if len(fields) > 50:
            raise _invalid("UserDefinedFields must have at most 50 pairs")
        if any(not 1 <= len(name) <= 128 or not 1 <= len(text) <= 1024 for name, text in fields.items()):
            raise _invalid("UserDefinedFields takes names of up to 128 and values of up to 1024 characters")
    if "Workflow" in update and update["Workflow"].get("Status") not in WORKFLOW_STATUSES:
        raise _invalid(f"Workflow.Status must be one of {', '.join(WORKFLOW_STATUSES)}")
    return {field: update[field] for field in (*CUSTOMERS, *SHARED) if field in update}


def _invalid(message: str) -> Refused:
    return Refused("InvalidInputException", f"Invalid request: {message}")


def updated(present: dict, update: dict) -> dict:
    """The finding after BatchUpdateFindings, which "don't affect the value for the UpdatedAt field"."""
    merged = {**present, **update, "ProcessedAt": now()}
    if "Note" in update:
        merged["Note"] = {**update["Note"], "UpdatedAt": now()}
    if "Severity" in update:
        merged["Severity"] = whole_severity(update["Severity"])
    return merged


# Filters of GetFindings, and the values of a finding that each looks at.
_FILTERS = {
    "AwsAccountId": lambda finding: [finding["AwsAccountId"]],
    "ComplianceSecurityControlId": lambda finding: [finding.get("Compliance", {}).get("SecurityControlId")],
    "ComplianceStatus": lambda finding: [finding.get("Compliance", {}).get("Status")],
    "GeneratorId": lambda finding: [finding["GeneratorId"]],
    "Id": lambda finding: [finding["Id"]],
    "NoteText": lambda finding: [finding.get("Note", {}).get("Text")],
    "ProductArn": lambda finding: [finding["ProductArn"]],
    "ProductName": lambda finding: [finding["ProductName"]],
    "RecordState": lambda finding: [finding["RecordState"]],
    "ResourceId": lambda finding: [resource["Id"] for resource in finding["Resources"]],
    "ResourceType": lambda finding: [resource["Type"] for resource in finding["Resources"]],
    "SeverityLabel": lambda finding: [finding["Severity"]["Label"]],
    "Title": lambda finding: [finding["Title"]],
    "Type": lambda finding: finding["Types"],
    "WorkflowStatus": lambda finding: [finding["Workflow"]["Status"]],
}
_COMPARISONS = {
    "EQUALS": lambda value, wanted: value == wanted,
    "PREFIX": lambda value, wanted: value.startswith(wanted),
    "CONTAINS": lambda value, wanted: wanted.lower() in value.lower(),
}


def matches(finding: dict, filters: dict) -> bool:
    """All fields must match; within one, any of the values, and none of the NOT ones.

    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_StringFilter.html
    """
    for name, conditions in filters.items():
        if name not in _FILTERS:
            raise Refused("InvalidInputException", f"the local AWS has no filter on `{name}`")
        values = [value for value in _FILTERS[name](finding) if value is not None]
        wanted, unwanted = [], []
        for condition in conditions:
            comparison = condition["Comparison"]
            positive = comparison.removeprefix("NOT_") if comparison != "PREFIX_NOT_EQUALS" else "PREFIX"
            compare = _COMPARISONS[positive]
            met = any(compare(value, condition["Value"]) for value in values)
            (wanted if positive == comparison else unwanted).append(met)
        if (wanted and not any(wanted)) or any(unwanted):
            return False
    return True
