"""Step Functions' JSONata, variables, and the size of payloads.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import copy
import functools
import json
from collections import ChainMap

import jsonata
from ministack.services import stepfunctions as sfn

from cordon_local import pins

ExecutionError = sfn._ExecutionError
PAYLOAD_LIMIT = 256 * 1024
# The quota is one second; 200 executions on a small machine share its processors, so wall-clock time says little.
EVALUATION_LIMIT_MS = 20_000
NULL = jsonata.utils.Utils.NULL_VALUE
# The context object, https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
CONTEXT = ("Execution", "State", "StateMachine", "Task", "Map")


def install() -> None:
    states = "ministack.services.stepfunctions"
    pins.replace(f"{states}:_apply_state_assign", assign)
    pins.replace(f"{states}:_evaluate_jsonata", evaluate)


def encode(value):
    """The JSON text of a payload, which may have 256 KiB (service-quotas.html)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if len(text.encode("utf-8", "surrogatepass")) > PAYLOAD_LIMIT:
        raise ExecutionError("States.DataLimitExceeded", f"a payload exceeds {PAYLOAD_LIMIT} bytes")
    return text


class Variables(ChainMap):
    """The variables that a state sees: what it assigns, its frame's own, the enclosing frames'."""

    def __setitem__(self, name, value):
        if any(name in scope for scope in self.maps[2:]):
            raise ExecutionError("States.Runtime", f"variable `{name}` belongs to an outer scope")
        super().__setitem__(name, value)


@functools.lru_cache(maxsize=4096)
def parsed(expression):
    """An expression, which may be evaluated by many threads. To parse it takes longer than anything else."""
    return jsonata.Jsonata.jsonata(expression)


def compiled(expression):
    """An expression to be evaluated once by this thread, with its own limit of time."""
    own = jsonata.Jsonata.CURRENT.jsonata = copy.copy(parsed(expression))
    own.environment = own.create_frame(jsonata.Jsonata.static_frame)
    own.environment.set_runtime_bounds(EVALUATION_LIMIT_MS, None)
    sfn._register_sfn_jsonata_functions(own)
    return own


def evaluate(_original, expression, raw_input, ctx=None, result=None, error_output=None):
    """An expression's value. `$states` has a `result` only after a task or sub-workflow, an `errorOutput` only
    in a Catch, and the documented context object (transforming-data.html)."""
    ctx = ctx or {}
    states = {"input": raw_input, "context": {name: ctx[name] for name in CONTEXT if name in ctx}}
    if result is not None:
        states["result"] = result
    if error_output is not None:
        states["errorOutput"] = error_output
    bindings = {name: NULL if value is None else value for name, value in ctx.get("variables", {}).items()}
    # An undefined value leaves the member out, which tells it from null. `$eval` is the one function that AWS lacks.
    try:
        found = compiled(f'{{"value": ({expression})}}').evaluate(None, {**bindings, "states": states, "eval": None})
        found = json.loads(json.dumps(found, allow_nan=False))
    except Exception as failure:
        code = getattr(failure, "error", None)
        cause = f"{code}: {failure}" if isinstance(code, str) else str(failure)
        raise ExecutionError("States.QueryEvaluationError", cause) from failure
    if "value" not in found:
        raise ExecutionError("States.QueryEvaluationError", f"the expression `{expression}` returned nothing")
    return found["value"]


def assign(_original, state, raw_input, ctx, result=None, error_output=None):
    """Assigns a state's variables, all computed from the values before (workflow-variables.html)."""
    if sfn._state_query_language(state, ctx) != "JSONata":
        return
    values = {
        name: sfn._apply_jsonata_template(template, raw_input, ctx, result, error_output)
        for name, template in state.get("Assign", {}).items()
    }
    encode(values)
    ctx.setdefault("variables", {}).update(values)
