"""Security Hub with an administrator account, with CSPM and without it, and the events that they send.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/Welcome.html
"""

import base64
import json
import re

from ministack import app
from ministack.core import iam_actions, router
from ministack.core.iam_evaluator import caller_arn
from ministack.core.responses import get_account_id, request_scope
from ministack.services import eventbridge

from cordon_local import ACCOUNTS, REGION, SECURITY_ACCOUNT, api_model, findings, findings_v2, local_paths, pins
from cordon_local.api_model import Refused
from cordon_local.local_paths import Answer

SERVICE = "securityhub"
MOST_FINDINGS = 100

# (product ARN, finding id) -> finding, and the shared fields that a customer has updated.
_findings: dict[tuple[str, str], dict] = {}
_updated_fields: dict[tuple[str, str], set[str]] = {}
# metadata.uid -> finding in OCSF.
_findings_v2: dict[str, dict] = {}

# Calls that IAM knows under the name of their counterpart of CSPM ("Actions, resources, and condition keys for AWS
# Security Hub").
_ACTIONS = {"GetFindingsV2": "GetFindings", "BatchUpdateFindingsV2": "BatchUpdateFindings"}
_OCSF_FIELDS = ("Comment", "SeverityId", "StatusId")


def install() -> None:
    app.SERVICE_HANDLERS[SERVICE] = _answer
    router.SERVICE_PATTERNS[SERVICE] = {"credential_scope": SERVICE}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[SERVICE] = SERVICE
    iam_actions._BOTOCORE_SERVICE_MAP[SERVICE] = [SERVICE]
    pins.replace("ministack.core.iam_actions:extract_iam_action", _action)
    pins.replace("ministack.core.iam_actions:extract_resource_arn", _resource)
    pins.replace("ministack.core.iam_actions:request_tag_context", _request_context)
    local_paths.add("POST", "/_local/securityhub/finding", _import_as_aws_service)
    local_paths.add("POST", "/_local/securityhub/finding-v2", _send_v2)
    local_paths.add("POST", "/_local/securityhub/custom-action", _custom_action)


def _hub_arn(account: str) -> str:
    return f"arn:aws:securityhub:{REGION}:{account}:hub/default"


def _hub_v2_arn(account: str) -> str:
    return f"arn:aws:securityhub:{REGION}:{account}:hubv2/local"


def _default_product(account: str) -> str:
    return f"arn:aws:securityhub:{REGION}:{account}:product/{account}/default"


def _action(original, service, method, path, headers, body, query):
    action = original(service, method, path, headers, body, query)
    if service != SERVICE or not action:
        return action
    name = action.partition(":")[2]
    return f"{SERVICE}:{_ACTIONS.get(name, name)}"


def _resource(original, service, method, path, headers, body, query, region, account):
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecurityhub.html"""
    if service != SERVICE:
        return original(service, method, path, headers, body, query, region, account)
    if path == "/findings/import":
        products = [finding.get("ProductArn") for finding in _sent_findings(body)]
        return str(products[0]) if products else "*"
    return _hub_v2_arn(account) if path.startswith("/findingsv2") else _hub_arn(account)


def _request_context(original, service, action, body, query):
    """Policies may ask which fields BatchUpdateFindings sets to what, and whose findings are imported.

    https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchupdatefindings.html
    """
    context = original(service, action, body, query)
    if action == "securityhub:BatchUpdateFindings":
        given = _given(body)
        context |= {f"securityhub:OCSFSyntaxPath/{name}": str(given[name]) for name in _OCSF_FIELDS if name in given}
        others = (*_OCSF_FIELDS, "FindingIdentifiers", "MetadataUids")
        update = {field: value for field, value in given.items() if field not in others}
        context |= {f"securityhub:ASFFSyntaxPath/{path}": value for path, value in _leaves("", update)}
    elif action == "securityhub:BatchImportFindings":
        context["securityhub:TargetAccount"] = [str(finding.get("AwsAccountId")) for finding in _sent_findings(body)]
    return context


def _sent_findings(body: bytes) -> list[dict]:
    findings_sent = _given(body).get("Findings")
    return [each for each in findings_sent if isinstance(each, dict)] if isinstance(findings_sent, list) else []


def _leaves(path: str, value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, inner)
    else:
        yield path, value


def _parsed(body: bytes) -> dict | None:
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        return None
    return given if isinstance(given, dict) else None


def _given(body: bytes) -> dict:
    """The request, or nothing if it is none: that is refused once its caller is known."""
    return _parsed(body) or {}


async def _answer(method, path, headers, body, query):
    # An aggregator's ARN ends the path; there is one of each.
    operation = _OPERATIONS.get((method, re.sub("/get/.*", "/get", path)))
    if _parsed(body) is None:
        return _refusal(Refused("InvalidInputException", "Invalid request: the body is no JSON object"))
    if operation is None:
        message = f"the local AWS has no `{method} {path}` of Security Hub"
        return _refusal(Refused("UnknownOperationException", message, 404))
    try:
        given = _asked(query) if method == "GET" else _given(body)
        return 200, {"Content-Type": "application/json"}, json.dumps(operation(given)).encode()
    except Refused as error:
        return _refusal(error)


def _refusal(error: Refused):
    headers = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
    return error.status, headers, json.dumps({"Message": error.message, "Code": error.code}).encode()


def _enable(_given: dict) -> dict:
    """All accounts of the local AWS have Security Hub from the start."""
    raise Refused("ResourceConflictException", "Account is already subscribed to Security Hub", 409)


def _describe(_given: dict) -> dict:
    return {
        "HubArn": _hub_arn(get_account_id()),
        "SubscribedAt": "2024-01-01T00:00:00.000Z",
        "AutoEnableControls": True,
        "ControlFindingGenerator": "SECURITY_CONTROL",
    }


def _describe_v2(_given: dict) -> dict:
    return {"HubV2Arn": _hub_v2_arn(get_account_id()), "SubscribedAt": "2024-01-01T00:00:00.000Z"}


def _aggregator_arn() -> str:
    return f"arn:aws:securityhub:{REGION}:{get_account_id()}:finding-aggregator/local"


def _aggregator_v2_arn() -> str:
    return f"arn:aws:securityhub:{REGION}:{get_account_id()}:aggregatorv2/local"


def _list_aggregators(_given: dict) -> dict:
    """The one Region that there is aggregates all others, of which there are none."""
    return {"FindingAggregators": [{"FindingAggregatorArn": _aggregator_arn()}]}


def _get_aggregator(_given: dict) -> dict:
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindingAggregator.html"""
    return {
        "FindingAggregatorArn": _aggregator_arn(),
        "FindingAggregationRegion": REGION,
        "RegionLinkingMode": "ALL_REGIONS",
    }


def _list_aggregators_v2(_given: dict) -> dict:
    return {"AggregatorsV2": [{"AggregatorV2Arn": _aggregator_v2_arn()}]}


def _get_aggregator_v2(_given: dict) -> dict:
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetAggregatorV2.html"""
    return {
        "AggregatorV2Arn": _aggregator_v2_arn(),
        "AggregationRegion": REGION,
        "RegionLinkingMode": "ALL_REGIONS",
    }


def _asked(query: dict) -> dict:
    """The members of a GET, which are in its query."""
    return {name: values[0] if isinstance(values, list) else values for name, values in query.items()}


def _list_members(given: dict) -> dict:
    """All members are enabled from the start, and the administrator is none of them.

    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_ListMembers.html
    """
    if get_account_id() != SECURITY_ACCOUNT:
        message = "The request was rejected because the current account is not an administrator account"
        raise Refused("InvalidAccessException", message, 401)
    most, start = int(given.get("MaxResults", 50)), int(given.get("NextToken", 0))
    if not 1 <= most <= 50:
        raise Refused("InvalidInputException", "Invalid parameter 'MaxResults': must be from 1 to 50")
    members = [
        {
            "AccountId": account,
            "Email": f"{account}@example.com",
            "MasterId": SECURITY_ACCOUNT,
            "AdministratorId": SECURITY_ACCOUNT,
            "MemberStatus": "Enabled",
            "InvitedAt": "2024-01-01T00:00:00.000Z",
            "UpdatedAt": "2024-01-01T00:00:00.000Z",
        }
        for account in ACCOUNTS
        if account != SECURITY_ACCOUNT
    ]
    end = start + most
    return {"Members": members[start:end], **({"NextToken": str(end)} if end < len(members) else {})}


def _import(given: dict) -> dict:
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html"""
    imported = given.get("Findings")
    if not isinstance(imported, list) or not 1 <= len(imported) <= MOST_FINDINGS:
        raise Refused("InvalidInputException", "Invalid parameter 'Findings': must have from 1 to 100 items")
    if not all(isinstance(finding, dict) for finding in imported):
        raise Refused("InvalidInputException", "Invalid parameter 'Findings': must have findings as items")
    account = get_account_id()
    for finding in imported:
        product = finding.get("ProductArn", "")
        if product and product != _default_product(account):
            action = f"securityhub:BatchImportFindings on resource: {product}"
            message = f"User: {caller_arn()} is not authorized to perform: {action}"
            raise Refused("AccessDeniedException", message, 403)
    accepted, failed = [], []
    for finding in imported:
        try:
            findings.check(finding)
            if finding["AwsAccountId"] != account:
                raise findings.Misformed("data.AwsAccountId should be the account that imports the finding")
        except findings.Misformed as error:
            message = f"Finding does not adhere to Amazon Finding Format. {error}."
            failed.append({"Id": str(finding.get("Id", "")), "ErrorCode": "InvalidInput", "ErrorMessage": message})
        else:
            accepted.append(finding)
    for finding in accepted:
        _store_and_tell(finding)
    return {"FailedCount": len(failed), "SuccessCount": len(accepted), "FailedFindings": failed}


def _store_and_tell(finding: dict) -> None:
    _tell(_store(finding))


def _store(finding: dict) -> dict:
    key = finding["ProductArn"], finding["Id"]
    present = _findings.get(key)
    if present:
        _findings[key] = findings.reimported(present, finding, _updated_fields.get(key, set()))
    else:
        _findings[key] = findings.filled_in(finding)
    return _findings[key]


def _update(given: dict) -> dict:
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html"""
    identifiers = given.get("FindingIdentifiers")
    if not isinstance(identifiers, list) or not 1 <= len(identifiers) <= MOST_FINDINGS:
        message = "Invalid parameter 'FindingIdentifiers': must have from 1 to 100 items"
        raise Refused("InvalidInputException", message)
    update = findings.checked_update(given)
    processed, unprocessed, seen = [], [], set()
    for identifier in identifiers:
        key = identifier.get("ProductArn"), identifier.get("Id")
        problem = None
        if key in seen:
            problem = "DuplicatedFindingIdentifier", "Duplicated finding identifier"
        elif key not in _findings or not _visible(_findings[key]):
            problem = "FindingNotFound", "Finding Not Found"
        elif findings.size(findings.updated(_findings[key], update)) > findings.MOST_BYTES:
            problem = "FindingSizeExceeded", "Finding size exceeded 240 KB"
        seen.add(key)
        if problem:
            code, message = problem
            unprocessed.append({"FindingIdentifier": identifier, "ErrorCode": code, "ErrorMessage": message})
            continue
        _findings[key] = findings.updated(_findings[key], update)
        _updated_fields.setdefault(key, set()).update(update)
        processed.append(identifier)
        _tell(_findings[key])
    return {"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}


def _visible(finding: dict) -> bool:
    """The administrator sees its members' findings, a member its own."""
    return get_account_id() in (SECURITY_ACCOUNT, finding["AwsAccountId"])


def _get(given: dict) -> dict:
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html"""
    filters = given.get("Filters", {})
    found = [finding for finding in _findings.values() if _visible(finding) and findings.matches(finding, filters)]
    for criterion in reversed(given.get("SortCriteria", [])):
        descending = criterion.get("SortOrder") == "desc"
        found.sort(key=lambda finding: str(finding.get(criterion["Field"], "")), reverse=descending)
    start = int(base64.b64decode(given["NextToken"])) if "NextToken" in given else 0
    end = start + given.get("MaxResults", MOST_FINDINGS)
    answer = {"Findings": found[start:end]}
    if end < len(found):
        answer["NextToken"] = base64.b64encode(str(end).encode()).decode()
    return answer


def _modelled(operation: str, given: dict) -> None:
    """Refuse what the operation's model does not allow."""
    try:
        api_model.check(api_model.operation(SERVICE, operation), given)
    except Refused as error:
        raise Refused("ValidationException", error.message) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise Refused("ValidationException", f"the request does not have the form of {operation}") from error


def _get_v2(given: dict) -> dict:
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindingsV2.html"""
    _modelled("GetFindingsV2", given)
    filters = given.get("Filters", {})
    found = [each for each in _findings_v2.values() if _visible_v2(each) and findings_v2.matches(each, filters)]
    return {"Findings": found[: given.get("MaxResults", MOST_FINDINGS)]}


def _update_v2(given: dict) -> dict:
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html"""
    _modelled("BatchUpdateFindingsV2", given)
    update = findings_v2.checked_update(given)
    processed, unprocessed = [], []
    for identifier in given.get("MetadataUids") or given["FindingIdentifiers"]:
        answer = {"MetadataUid" if isinstance(identifier, str) else "FindingIdentifier": identifier}
        known = [each for each in _findings_v2.values() if findings_v2.is_named(each, identifier) and _visible_v2(each)]
        if not known:
            answer |= {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": "Finding Not Found"}
            unprocessed.append(answer)
            continue
        uid = known[0]["metadata"]["uid"]
        _findings_v2[uid] = {**known[0], **update}
        processed.append(answer)
        _tell_v2(_findings_v2[uid])
    return {"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}


def _visible_v2(finding: dict) -> bool:
    return get_account_id() in (SECURITY_ACCOUNT, finding["cloud"]["account"]["uid"])


_OPERATIONS = {
    ("POST", "/accounts"): _enable,
    ("GET", "/accounts"): _describe,
    ("GET", "/members"): _list_members,
    ("GET", "/hubv2"): _describe_v2,
    ("GET", "/findingAggregator/list"): _list_aggregators,
    ("GET", "/findingAggregator/get"): _get_aggregator,
    ("GET", "/aggregatorv2/list"): _list_aggregators_v2,
    ("GET", "/aggregatorv2/get"): _get_aggregator_v2,
    ("POST", "/findings/import"): _import,
    ("PATCH", "/findings/batchupdate"): _update,
    ("POST", "/findings"): _get,
    ("PATCH", "/findingsv2/batchupdatev2"): _update_v2,
    ("POST", "/findingsv2"): _get_v2,
}


def _tell(finding: dict) -> None:
    """Each import and each update, one event for each finding, in the finding's account and the administrator's.

    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
    """
    resources = [f"{finding['ProductArn']}/{finding['Id']}"]
    for account in {SECURITY_ACCOUNT, finding["AwsAccountId"]}:
        _emit(account, "Security Hub Findings - Imported", resources, {"findings": [finding]})


def _tell_v2(finding: dict) -> None:
    """https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-cwe-event-formats.html"""
    for account in {SECURITY_ACCOUNT, finding["cloud"]["account"]["uid"]}:
        _emit(account, "Findings Imported V2", [finding["metadata"]["uid"]], {"findings": [finding]})


def _emit(account: str, detail_type: str, resources: list[str], detail: dict) -> None:
    entry = {
        "Source": "aws.securityhub",
        "DetailType": detail_type,
        "Resources": resources,
        "Detail": json.dumps(detail),
    }
    with request_scope(account, REGION):
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


async def _import_as_aws_service(query: dict[str, str], finding: object) -> Answer:
    """Import as the service that the product ARN names: only AWS's own services may do so on AWS.

    With `unsent`, Security Hub has the finding, but sends no event: for tests that start the execution themselves.
    With `unsettled`, its event shows nothing of what customers have updated: BatchUpdateFindings takes minutes.
    """
    if not isinstance(finding, dict):
        return 400, {"message": "the body must be a finding"}
    try:
        findings.check(finding)
    except findings.Misformed as error:
        return 400, {"message": str(error)}
    if finding["AwsAccountId"] not in ACCOUNTS:
        return 400, {"message": f"no such account: `{finding['AwsAccountId']}`"}
    stored = _store(finding)
    if "unsent" not in query:
        _tell(findings.filled_in(finding) if "unsettled" in query else stored)
    return 200, {"Id": finding["Id"], "ProductArn": finding["ProductArn"]}


async def _send_v2(query: dict[str, str], finding: object) -> Answer:
    """A finding in OCSF of the product that it names: no client can send one to Security Hub without CSPM.

    With `unsent`, Security Hub has the finding, but sends no event.
    """
    if not isinstance(finding, dict):
        return 400, {"message": "the body must be a finding"}
    try:
        findings_v2.check(finding)
    except findings_v2.Misformed as error:
        return 400, {"message": str(error)}
    account = finding["cloud"]["account"]["uid"]
    if account not in ACCOUNTS:
        return 400, {"message": f"no such account: `{account}`"}
    uid = findings_v2.filled_in(finding)["metadata"]["uid"]
    present = _findings_v2.get(uid)
    _findings_v2[uid] = findings_v2.sent_again(present, finding) if present else findings_v2.filled_in(finding)
    if "unsent" not in query:
        _tell_v2(_findings_v2[uid])
    return 200, {"metadata": {"uid": uid}}


async def _custom_action(_query: dict[str, str], request: object) -> Answer:
    """What a click in the administrator's console sends: one event for each selected finding, or one for an insight.

    The `insight` is the event's detail: `insightArn`, `insightName`, `resultType`, `insightResults`.

    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
    """
    if not isinstance(request, dict) or not request.get("actionArn"):
        return 400, {"message": "the body must have `actionArn`, and `findings` or `insight`"}
    name = request["actionArn"].rpartition("/")[2]
    action = {"actionName": name, "actionDescription": name}
    if isinstance(request.get("insight"), dict):
        _emit(SECURITY_ACCOUNT, "Security Hub Insight Results", [request["actionArn"]], action | request["insight"])
        return 200, {"sent": 1}
    if not request.get("findings"):
        return 400, {"message": "the body must have `actionArn`, and `findings` or `insight`"}
    selected = []
    for identifier in request["findings"]:
        finding = _findings.get((identifier.get("ProductArn"), identifier.get("Id")))
        if finding is None:
            return 404, {"message": f"no such finding: `{identifier.get('Id')}`"}
        selected.append(finding)
    for finding in selected:
        detail = action | {"findings": [finding]}
        _emit(SECURITY_ACCOUNT, "Security Hub Findings - Custom Action", [request["actionArn"]], detail)
    return 200, {"sent": len(selected)}
