import { EventBridgeClient, ListTargetsByRuleCommand } from '@aws-sdk/client-eventbridge';
import { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { readConfiguration } from '../lib/config.ts';
import { clientOf, theAccount } from './accounts.ts';
import { Failure } from './failure.ts';

interface Clients {
  readonly events: EventBridgeClient;
  readonly queues: SQSClient;
  readonly states: SFNClient;
}

/**
 * Starts an execution for each event that the rule `RULE` could not deliver, and then deletes it
 * from the rule's queue. The event's id names the execution, so an event is never replayed twice:
 * what was started before, by a run that was cut off, is only deleted.
 */
export async function replay(config: string, { RULE }: NodeJS.ProcessEnv): Promise<void> {
  const rule = RULE || 'cordon-findings';
  const configuration = readConfiguration(config);
  const settings = clientOf(await theAccount(configuration, configuration.securityAccount));
  const clients = {
    events: new EventBridgeClient(settings),
    queues: new SQSClient(settings),
    states: new SFNClient(settings),
  };
  let started = 0;
  const { queueUrl, stateMachineArn } = await find(clients, rule);
  for await (const execution of executions(clients, queueUrl, stateMachineArn)) {
    started += 1;
    console.log(execution);
  }
  const hidden = await inFlight(clients.queues, queueUrl);
  console.log(
    `${started} events of ${rule} were replayed; ${hidden === 0 ? 'its queue is empty' : `${hidden} more are in the hands of another run, or of one that was cut off: run this again in a minute`}`,
  );
}

/** The names of the executions, each once it has started. */
async function* executions(
  clients: Clients,
  queueUrl: string,
  stateMachineArn: string,
): AsyncGenerator<string> {
  for (;;) {
    const { Messages: messages = [] } = await clients.queues.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 1,
      }),
    );
    if (messages.length === 0) return;
    for (const message of messages) {
      yield await start(clients.states, stateMachineArn, message);
      await clients.queues.send(
        new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle }),
      );
    }
  }
}

/** How many messages somebody has received and not deleted, which are hidden for a while. */
async function inFlight(queues: SQSClient, QueueUrl: string): Promise<number> {
  const AttributeNames = ['ApproximateNumberOfMessagesNotVisible'] as const;
  const { Attributes = {} } = await queues.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }),
  );
  return Number(Attributes[AttributeNames[0]]);
}

async function find(
  { events, queues }: Clients,
  rule: string,
): Promise<{ queueUrl: string; stateMachineArn: string }> {
  const { Targets: targets = [] } = await events.send(new ListTargetsByRuleCommand({ Rule: rule }));
  const [target] = targets;
  const queueArn = target?.DeadLetterConfig?.Arn;
  if (queueArn === undefined) throw new Failure(`the rule \`${rule}\` has no queue`);
  const stateMachineArn = target?.Arn ?? '';
  if (!stateMachineArn.includes(':stateMachine:')) {
    throw new Failure(`the events of \`${rule}\` start no execution: read them in \`${queueArn}\``);
  }
  const QueueName = queueArn.split(':').at(-1) ?? '';
  const { QueueUrl: queueUrl } = await queues.send(new GetQueueUrlCommand({ QueueName }));
  if (queueUrl === undefined) throw new Failure(`there is no queue \`${QueueName}\``);
  return { queueUrl, stateMachineArn };
}

async function start(
  states: SFNClient,
  stateMachineArn: string,
  { Body: input = '', MessageId: id = '' }: Message,
): Promise<string> {
  const event = JSON.parse(input) as { id?: unknown };
  // The grammar of an execution's name.
  const ofEvent = typeof event.id === 'string' && /^[\w-]{1,73}$/.test(event.id);
  const name = `replay-${ofEvent ? event.id : id}`;
  try {
    await states.send(new StartExecutionCommand({ stateMachineArn, name, input }));
  } catch (error) {
    if (!(error instanceof ExecutionAlreadyExists)) throw error;
  }
  return name;
}
