"""The emulator's functions that we replace, pinned by their source.

A mend is written against what a function did on the day it was written. When
the emulator changes it, the mend may hide a correct answer or stop mattering,
so the server refuses to start until somebody has looked.

``python -m cordon_local.pins`` prints the table as it should be now.
"""

import functools
import hashlib
import importlib
import inspect
import sys
from typing import Callable

SOURCES: dict[str, str] = {
    "ministack.app:call_service_handler_sync":
        "64e0d7e635005816acc94f1822c2755b4c9f22e14a13c883f9045365c7273f0e",
    "ministack.app:pin_request_origin":
        "de819c1bd9ac2be4b8dd3c7a66d2c3c690fe74d95b4d42519ec581ac9ebf3b36",
    "ministack.core.iam_actions:access_denied_response":
        "3cc2e315f91f45daeb6160cb1c8250291fde007fa3e721acf72c8159838589a8",
    "ministack.core.iam_actions:extract_iam_action":
        "ec476b92d969822b69c5b51b7c86cbc85794d3126a2f4c15f70f5444851cd5a6",
    "ministack.core.iam_actions:extract_resource_arn":
        "82f51700695c62fdca72583e1c264cc146fc22d5aa0a5faebabc3aa0a798f2e9",
    "ministack.core.iam_actions:request_tag_context":
        "d46adb816e024778849a7919c64f0d53773c5b181cc759ce69db89215ce77154",
    "ministack.core.iam_actions:s3_service_context":
        "83e53d14d02c3a916deffcd06258848ee893d7e6110c8110484ae5a8c00ddc69",
    "ministack.core.iam_evaluator:_first_match":
        "dc96ef4846c742126bf10b8f9e434cb105140526498de8234d136b36db8df463",
    "ministack.core.iam_evaluator:_principal_keys":
        "82f8fd4f1d91e59211ba016346c0d6f1a6fb963d25119c3ff541acde0778ae0b",
    "ministack.core.iam_evaluator:_principal_matches":
        "e1370d344db7cdef97bebcf91fc6fa6e8c2a2f5d9a7dc7e8387dd82c37dbf777",
    "ministack.core.iam_evaluator:_principal_org_id":
        "a582df4ff025c8bda27e2be26eb2ce3ec9768e417f3bd696e8078cf4cc7600af",
    "ministack.core.iam_evaluator:_resolve_condition_key":
        "15e26964cd38f32c421942a5542a689cb51b63a4e8f746932323a9aeb1caba0c",
    "ministack.core.iam_evaluator:enforce":
        "cf64b1ee5b099c8f705e919a43bd7b354e4772f150edb89f8218c930b8550c8c",
    "ministack.core.iam_evaluator:evaluate_trust_policy":
        "4b50aa29ad29fe20c5e8c3d4419ecb67469e8098b9dfc2b54b3f657c8720347d",
    "ministack.core.iam_evaluator:fnmatch_iam_cs":
        "73763e92fcaad29e55374402f09dc6316f6c2306af2dafa68e72def8741a16ab",
    "ministack.core.iam_evaluator:is_root_access_key":
        "e6ae3b63335593c0d7f112cdb3b505fef87e49f893e448738bef66d1d5064f8f",
    "ministack.core.lambda_runtime:ProvidedWorker.invoke":
        "00d96a1a25c6146afbac3d89105a4ae630523b6c5a112e49c3da3783487a8fe3",
    "ministack.services.cloudformation.provisioners:_cwlogs_create":
        "6e18ae6e4373ba0e5035a85597e261ab0bd8e4491f73600feacb9a83c3025b09",
    "ministack.services.cloudformation.provisioners:_iam_role_create":
        "2d7e3d8ec507d44802ca951d6595221d3aae0362a451b8535cd11977c5c00b49",
    "ministack.services.cloudformation.provisioners:_iam_role_update":
        "4f4039080dc14d493c3edb15492b06f07d20e8a903058c79fe24468720c11738",
    "ministack.services.cloudformation.handlers:_evaluate_conditions":
        "e7f9e29b6c01a4a7ae9c6d9f80d54ad03f89bffc94e9697f7f744722b4b74777",
    "ministack.services.cloudformation.stacks:_evaluate_conditions":
        "e7f9e29b6c01a4a7ae9c6d9f80d54ad03f89bffc94e9697f7f744722b4b74777",
    "ministack.services.dynamodb:_delete_item":
        "54866289153044198302a1aff23a2ecb073db652e6575edced0c01c19033456f",
    "ministack.services.dynamodb:_put_item":
        "bedd46ca55246529b5beef5f2f8af8f3c82ed99df899b0cf11ecc8ee242804b3",
    "ministack.services.dynamodb:_update_item":
        "4ae0d444448996b69846b0ae1a195998d9bfaa9510322542324158b56fd569ef",
    "ministack.services.eventbridge:_apply_input_transformer":
        "c975a360e47a5b91ee0361b52ae3bbb33cfa029944ddb87040a8d034ca9be4b6",
    "ministack.services.eventbridge:_dispatch_to_sns":
        "72c921fe20b631e3b417117219f3e88cefeaaae334fd98e80049b2c0ebf8f15f",
    "ministack.services.eventbridge:_dispatch_to_stepfunctions":
        "d36195e1c480b1ab2ff7a880f50dd6663aa28eaae4d16143595d66129a1e5d66",
    "ministack.services.eventbridge:_invoke_target":
        "550e304af08095637ed4de07798e4acc1b1f89316f91ab60d4d865f9f46c58f2",
    "ministack.services.iam:_create_role":
        "fef5dffbcd31bd0dc89af640873aa6ecd2e65b6e4b22836e731cea5c59829f3d",
    "ministack.services.iam:_update_assume_role_policy":
        "2d3f98f08393cbee9892fc4a3a34b341bd5b7d84acb8e7394595bdc36d21580a",
    "ministack.services.iam:handle_request":
        "97093e1a35f9b3ca2cd3bbad89f0bcacce2716695d6ab8e1b72d6c3ba4e4eb18",
    "ministack.services.lambda_svc:_provided_worker_env":
        "8cccaed6a6d8792afe3d2840bbe7f59d1b66365f92505f340545a5aef203b3f3",
    "ministack.services.organizations:_describe_organization":
        "175c47dbe82ff73a1b4d9399f969d6d1844832d365174dcd00312c3e6769f8f5",
    "ministack.services.organizations:_list_accounts":
        "cd893dceda9f70bd9bb9c13ae9bcd52d0a72961b3cec95f7e0ce3e16329ad68c",
    "ministack.services.sns:_fanout":
        "984cdd91d64aa056a4049ec5df248bfee3e5bebcabbc65269f737ba40bf6bb86",
    "ministack.services.sns:_list_subscriptions_by_topic":
        "02119f3da93568ca57215d4efebc526f210446932b4a0bff219ec383880daa9c",
    "ministack.services.sns:_publish":
        "df41cb2faa099b60a1ca1ba517da074faf936706c39c723ffa180a11adb45780",
    "ministack.services.sns:_send_subscription_confirmation":
        "dd409e62606897a26f0e84576f4efb01a160fbaca20850669045888a48b33a05",
    "ministack.services.ssm:_delete_parameter":
        "9e1e6c77dc31bcc92f55d68879fb4f23bc6bbb3522e603c38ed648b8c97458aa",
    "ministack.services.ssm:_delete_parameters":
        "c2114e707bd89b185fc0463f3dac04cc5eb61a86e90a426f05fb1b0a688fd2e4",
    "ministack.services.ssm:_put_parameter":
        "7518a51e56531ffd4ed1754aa67e4bbf3c8586acc91348243917f97af62af471",
    "ministack.services.stepfunctions:_apply_state_assign":
        "f9cc15f006a008bbf3c8c441c494e0be7d2af392d0c12f35bd68d8372f8c013c",
    "ministack.services.stepfunctions:_describe_execution":
        "c3ad294ad8b5070a8e7ac8d723dce006d64dd49516b4a22f23ee75307cdd8ea6",
    "ministack.services.stepfunctions:_describe_state_machine_for_execution":
        "a5ed57e041d70ece3e397b1555cc90f78ca3264ee8aff78cf911769d079e222b",
    "ministack.services.stepfunctions:_emit_execution_status_event":
        "9c89e45693e353eb9d427665ea17e9887c0b8a327f801f559de47807778dfd36",
    "ministack.services.stepfunctions:_error_matches":
        "519b9dc729c56a3caca5c301fd662ff40e1925ea47d7b8ad19b98236a9811dfa",
    "ministack.services.stepfunctions:_evaluate_jsonata":
        "d970811e01da08977936c72659ef14602a4a2c3adeef95b9741dffbfdcaa3789",
    "ministack.services.stepfunctions:_invoke_aws_sdk_integration":
        "59a970e1a7c06cbec76d869524092edfe16f302d83977d37032837569740bd54",
    "ministack.services.stepfunctions:_invoke_sns_publish":
        "81ac6228bc14a16a1ce88ddfccfdc68c9f6d024045bb5addf9bef8a54855af3d",
    "ministack.services.stepfunctions:_run_execution":
        "996dff84e0e0605ae3ffb450d0dfa0adc150caa811d0715fc2d4eb7cf28a1648",
    "ministack.services.stepfunctions:_scaled_sleep":
        "5ed19df2efa98412c20be89d2ac932b48b42994c7086ecf62b3ea29aa6f8113e",
    "ministack.services.stepfunctions:_start_execution":
        "9923282fc76c57b9d2541cc83863bfb69f2472b29aec9a9fc3454f3d19d045b4",
    "ministack.services.stepfunctions:_stop_execution":
        "44d2d84ccd5c9702368e7b6e0382b330fbee17f85e3f8ca3788730bf9a7bfcea",
    "ministack.services.stepfunctions:_validate_definition_jsonata":
        "a5ec092b2c8d49b83cbf1de4b37034421351f76baf6f440b29b09afbc7845a0c",
    "ministack.services.stepfunctions:handle_request":
        "efa6e8c4532a9e05de1d5c451ba1609388c4cb6662e72df46f3fb9158a84e9c4",
    "ministack.services.sts:_evict_expired_sessions":
        "67ddc890eea7c1fafcf596b6cc49cb7497ec7befd153b76d6e12854e0f059216",
    "ministack.services.sts:handle_request":
        "f2d7c72d01d6495029015f8803393e0435468dad4cf2716fa98d05a6c0c81702",
    "ministack.services.sts:register_session":
        "a84ec986ec0121463da9c469b685e3f92025acc323517b9ea5943aeb876f7615",
}

_used: set[str] = set()


class Changed(Exception):
    """The emulator is not the one the extension was written for."""


def locate(name: str) -> tuple[object, str]:
    """Find ``package.module:attribute``; a dotted attribute is a method."""
    module_name, _, attribute = name.partition(":")
    owner: object = importlib.import_module(module_name)
    *path, last = attribute.split(".")
    for part in path:
        owner = getattr(owner, part)
    return owner, last


def digest(name: str) -> str:
    """The digest of a function's source, comments included."""
    owner, attribute = locate(name)
    source = inspect.getsource(inspect.unwrap(getattr(owner, attribute)))
    return hashlib.sha256(source.encode()).hexdigest()


def original(name: str) -> Callable:
    """The emulator's function, if its source is the pinned one."""
    owner, attribute = locate(name)
    if not hasattr(owner, attribute):
        raise Changed(f"the emulator has no `{name}` any more")
    found = digest(name)
    if SOURCES.get(name) != found:
        raise Changed(f"the emulator's `{name}` has changed: its source has digest `{found}`")
    _used.add(name)
    return getattr(owner, attribute)


def replace(name: str, replacement: Callable) -> None:
    """Put ``replacement`` in the function's place; it gets the original as its first argument."""
    pinned = original(name)
    owner, attribute = locate(name)
    if inspect.iscoroutinefunction(pinned):

        @functools.wraps(pinned)
        async def wrapper(*args, **kwargs):
            return await replacement(pinned, *args, **kwargs)
    else:

        @functools.wraps(pinned)
        def wrapper(*args, **kwargs):
            return replacement(pinned, *args, **kwargs)

    setattr(owner, attribute, wrapper)


def check_all_used() -> None:
    """Refuse pins that hold nothing any more."""
    unused = SOURCES.keys() - _used
    if unused:
        raise Changed(f"pinned, but nothing replaces it: `{'`, `'.join(sorted(unused))}`")


def main() -> None:
    """Print the table of pins for the emulator that is installed."""
    for name in sorted(SOURCES):
        sys.stdout.write(f'    "{name}":\n        "{digest(name)}",\n')


if __name__ == "__main__":
    main()
