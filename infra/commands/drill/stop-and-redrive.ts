import { type HistoryEvent, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { setTimeout } from 'node:timers/promises';
import { whatIsNotContained } from './contain.ts';
import { ended, executionOf, history, newestEvents, redrive } from './executions.ts';
import { accuse } from './findings.ts';
import { harmlessUser, NAME, withNewKey } from './principals.ts';
import type { Drill, Step } from './step.ts';

/** How often a stop may come between two tasks. */
const ATTEMPTS = 5;

/** The newest event of an execution in which a task runs. */
const RUNNING: readonly unknown[] = ['TaskScheduled', 'TaskStarted', 'TaskSubmitted'];

/** What a stop itself says. */
const ABORTED = /^((Task|Map|Parallel)State|MapIteration|Execution)Aborted$/;

export const stopAndRedrive: Step = {
  title: 'an execution is stopped inside a task, and redriven',
  claims: [
    'stopped-execution-is-redriven',
    'entered-time-is-redrives',
    'redriven-task-evaluates-arguments',
    'redriven-task-logs-no-entry',
  ],
  needs: 'containment',
  async run(drill) {
    const { report } = drill;
    const user = await harmlessUser(drill, 'stopped');
    await withNewKey(drill, user);
    const finding = await accuse(drill, user);
    const arn = await executionOf(drill, finding);
    const stopped = await stopInsideATask(drill, arn);
    if (stopped === undefined) {
      await ended(drill, arn);
      for (const claim of stopAndRedrive.claims) {
        report.notTried(claim, `no stop fell into a task of ${arn}: drill again`);
      }
      return;
    }
    await redrive(drill, arn);
    const execution = await ended(drill, arn);
    const wrong = await whatIsNotContained(drill, user, execution, finding);
    const how = wrong.length === 0 ? `stopped in ${stopped.function}` : wrong.join('; ');
    report.holds('stopped-execution-is-redriven', wrong.length === 0, how);
    const events = await history(drill, arn);
    whatTheRedriveSaw(drill, stopped, events.slice(stopped.events));
  },
};

/** Where an execution was stopped. */
interface Place {
  readonly function: string;
  /** How many events its history had. */
  readonly events: number;
}

/** Stops the execution while a task runs, if need be with redrives in between. */
async function stopInsideATask(drill: Drill, executionArn: string): Promise<Place | undefined> {
  const { states } = drill.security;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (attempt > 0) await redrive(drill, executionArn);
    if (!(await aTaskRuns(drill, executionArn))) return undefined;
    await states.send(new StopExecutionCommand({ executionArn, error: NAME, cause: 'a drill' }));
    const { status } = await ended(drill, executionArn);
    if (status !== 'ABORTED') return undefined;
    const events = await history(drill, executionArn);
    const newestFirst = events.filter(({ type = '' }) => !ABORTED.test(type)).reverse();
    const running = runningTask(newestFirst);
    if (running !== undefined) return { function: running.function, events: events.length };
  }
  return undefined;
}

/** Waits until a task runs; when the execution has ended, none will. */
async function aTaskRuns(drill: Drill, arn: string): Promise<boolean> {
  for (;;) {
    const newestFirst = await newestEvents(drill, arn);
    if (runningTask(newestFirst) !== undefined) return true;
    if (/^Execution(Succeeded|Failed|Aborted|TimedOut)$/.test(newestFirst[0]?.type ?? ''))
      return false;
    await setTimeout(20);
  }
}

/** A function's task, as it was scheduled. */
interface Task {
  readonly function: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The task that runs, if it is one that is told of redrives. */
function runningTask(newestFirst: readonly HistoryEvent[]): Task | undefined {
  if (!RUNNING.includes(newestFirst[0]?.type)) return undefined;
  const task = newestFirst
    .slice(0, 3)
    .map(taskOf)
    .find((found) => found !== undefined);
  return task !== undefined && 'policyUnread' in task.payload ? task : undefined;
}

function taskOf({ taskScheduledEventDetails: task }: HistoryEvent): Task | undefined {
  if (task?.resourceType !== 'lambda') return undefined;
  const { FunctionName = '', Payload = {} } = JSON.parse(task.parameters ?? '{}') as {
    FunctionName?: string;
    Payload?: Task['payload'];
  };
  return { function: FunctionName.split(':').at(-1) ?? '', payload: Payload };
}

/** What Step Functions did after the redrive. */
function whatTheRedriveSaw(
  { report }: Drill,
  stopped: Place,
  events: readonly HistoryEvent[],
): void {
  const first = events.findIndex((event) => taskOf(event) !== undefined);
  const redriven = events[first] && taskOf(events[first]);
  const isIt = redriven?.function === stopped.function;
  const unread = redriven?.payload['policyUnread'];
  const told = `${redriven?.function} was called first, and told \`policyUnread\`: ${unread}`;
  report.holds('redriven-task-evaluates-arguments', isIt && unread === true, told);
  const entered = events.slice(0, first).find(({ type }) => type === 'TaskStateEntered');
  const name = entered?.stateEnteredEventDetails?.name;
  const logged = entered === undefined ? '' : `${name} was entered again`;
  report.holds('redriven-task-logs-no-entry', entered === undefined, logged);
  const redrivenAt = events.find(({ type }) => type === 'ExecutionRedriven')?.timestamp;
  const judged = events.map(taskOf).find((task) => task?.payload['now'] !== undefined);
  const now = String(judged?.payload['now']);
  const isLater = redrivenAt !== undefined && Date.parse(now) >= redrivenAt.getTime();
  report.holds(
    'entered-time-is-redrives',
    isLater,
    `redriven at ${redrivenAt?.toISOString()}, ${judged?.function} was told ${now}`,
  );
}
