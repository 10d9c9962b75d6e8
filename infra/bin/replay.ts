import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SQSClient } from '@aws-sdk/client-sqs';
import { ConfigurationError, readConfiguration } from '../lib/config.ts';
import { replay, ReplayError } from '../lib/replay.ts';

const [path, rule = 'cordon-findings'] = process.argv.slice(2);
try {
  const { region, securityAccount, profiles } = readConfiguration(path);
  const profile = profiles[securityAccount];
  const settings = { region, ...(profile !== undefined && { profile }) };
  const clients = {
    events: new EventBridgeClient(settings),
    queues: new SQSClient(settings),
    states: new SFNClient(settings),
  };
  let started = 0;
  for await (const execution of replay(clients, rule)) {
    started += 1;
    console.log(execution);
  }
  console.log(`${started} events of ${rule} were replayed; its queue is empty`);
} catch (error) {
  if (!(error instanceof ConfigurationError || error instanceof ReplayError)) throw error;
  console.error(error.message);
  process.exit(1);
}
