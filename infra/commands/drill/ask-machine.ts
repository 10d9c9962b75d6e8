import { CreateStateMachineCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { isRefused, until } from './answers.ts';
import { ended } from './executions.ts';
import { NAME, newName, newRole } from './principals.ts';
import type { Drill, Step } from './step.ts';

/** What the machine says of an answer: its fields, and the form of one of its times. */
interface Said {
  readonly members: readonly string[];
  readonly executions: readonly string[];
  readonly started: string;
  readonly caught: string;
}

/** Where there is no time to read. */
const NONE = 'none';

const ERROR = '{% $states.errorOutput.Error & ": " & $states.errorOutput.Cause %}';

/** What Step Functions makes of answers and errors, asked of a machine that reads two lists. */
export const askMachine: Step = {
  title: 'a state machine of the drill reads two lists, and fails in an Assign',
  claims: ['assign-error-is-caught', 'states-capitalises-lists', 'list-members-is-about-hub'],
  async run(drill) {
    const { report, security } = drill;
    const stateMachineArn = await newMachine(drill);
    const { executionArn = '' } = await security.states.send(
      new StartExecutionCommand({ stateMachineArn }),
    );
    const { status, output = '{}', error = '', cause = '' } = await ended(drill, executionArn);
    if (status !== 'SUCCEEDED') {
      report.refuted('assign-error-is-caught', `${status}: ${error}: ${cause}`);
      return;
    }
    const { members, executions, started, caught } = JSON.parse(output) as Said;
    const isCaught = caught.startsWith('States.QueryEvaluationError');
    report.holds('assign-error-is-caught', isCaught, caught);
    const mayList = members.includes('Members');
    report.holds('list-members-is-about-hub', mayList, members.join(', '));
    if (started === NONE) {
      report.notTried('states-capitalises-lists', 'Cordon has had no execution yet');
      return;
    }
    const isIso = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:?\d\d)$/.test(started);
    const all = mayList && executions.includes('Executions') && isIso;
    const how = [...members, ...executions, `since ${started}`].join(', ');
    report.holds('states-capitalises-lists', all, how);
  },
};

/** The machine, once IAM knows its role. */
async function newMachine(drill: Drill): Promise<string> {
  const { configuration, machine, security } = drill;
  const { partition } = configuration;
  const { id: account, region } = security.account;
  const role = await newRole(
    configuration,
    security,
    'machine',
    [
      {
        Effect: 'Allow',
        Action: 'securityhub:ListMembers',
        Resource: `arn:${partition}:securityhub:${region}:${account}:hub/default`,
      },
      { Effect: 'Allow', Action: 'states:ListExecutions', Resource: machine.arn },
    ],
    {
      Effect: 'Allow',
      Principal: { Service: 'states.amazonaws.com' },
      Action: 'sts:AssumeRole',
      Condition: { StringEquals: { 'aws:SourceAccount': account } },
    },
  );
  const create = new CreateStateMachineCommand({
    name: newName('asked'),
    roleArn: role.arn,
    definition: JSON.stringify(definition(partition, machine.arn)),
    tags: [{ key: NAME, value: 'asked' }],
  });
  return until(`a state machine with the role ${role.name}`, 60, async () => {
    try {
      return (await security.states.send(create)).stateMachineArn;
    } catch (error) {
      if (isRefused(error as Error)) return undefined;
      throw error;
    }
  });
}

function definition(partition: string, StateMachineArn: string): object {
  const call = (name: string) => `arn:${partition}:states:::aws-sdk:${name}`;
  const list = { Resource: call('sfn:listExecutions'), Type: 'Task' };
  const Catch = [{ ErrorEquals: ['States.ALL'], Output: ERROR, Next: 'Answer' }];
  return {
    QueryLanguage: 'JSONata',
    StartAt: 'Members',
    TimeoutSeconds: 120,
    States: {
      Members: {
        Type: 'Task',
        Resource: call('securityhub:listMembers'),
        Arguments: { MaxResults: 1 },
        Assign: { members: '{% [$keys($states.result)] %}' },
        Catch: [
          {
            ErrorEquals: ['States.ALL'],
            Assign: { members: [ERROR] },
            Next: 'Executions',
          },
        ],
        Next: 'Executions',
      },
      Executions: {
        ...list,
        Arguments: { StateMachineArn, MaxResults: 1 },
        Assign: {
          executions: '{% [$keys($states.result)] %}',
          started: `{% [$states.result.Executions[0].StartDate, '${NONE}'][0] %}`,
        },
        Next: 'AssignFails',
      },
      AssignFails: {
        ...list,
        Arguments: { StateMachineArn, MaxResults: 1 },
        Assign: { never: "{% $error('a drill') %}" },
        Catch,
        Next: 'Answer',
      },
      Answer: {
        Type: 'Pass',
        Output: {
          members: '{% $members %}',
          executions: '{% $executions %}',
          started: '{% $started %}',
          caught: "{% $type($states.input) = 'string' ? $states.input : 'it was not caught' %}",
        },
        End: true,
      },
    },
  };
}
