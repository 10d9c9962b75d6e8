import { setTimeout } from 'node:timers/promises';
import { Failure } from '../failure.ts';

/** How long what IAM was told may take to count, at the most that the steps wait for. */
export const PATIENCE = 45;

/** What was waited for, and after how many seconds it came. */
export interface Came<T> {
  readonly value: T;
  readonly seconds: number;
}

/** Asks until there is an answer, for so many seconds; nothing, if none comes. */
export async function within<T>(
  seconds: number,
  ask: () => Promise<T | undefined>,
): Promise<Came<T> | undefined> {
  const began = Date.now();
  const since = (): number => (Date.now() - began) / 1_000;
  for (;;) {
    const value = await ask();
    if (value !== undefined) return { value, seconds: Math.round(since() * 10) / 10 };
    if (since() > seconds) return undefined;
    await setTimeout(250);
  }
}

/** Asks until there is an answer, and fails if none comes. */
export async function until<T>(
  what: string,
  seconds: number,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const came = await within(seconds, ask);
  if (came === undefined) throw new Failure(`${what} did not come within ${seconds} s`);
  return came.value;
}

/** An error as AWS answers it. */
export interface Refusal extends Error {
  readonly $fault: 'client' | 'server';
}

/** The error that AWS answers, or nothing, where it does what it is asked. */
export async function refusal(asked: Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await asked;
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && '$fault' in error)) throw error;
    return error as Refusal;
  }
}

/** What AWS answered, for a report. */
export function said(answer: Error | undefined): string {
  if (answer === undefined) return 'AWS did it';
  return `${answer.name}: ${answer.message.replace(/\s+/g, ' ')}`;
}

/** Whether AWS refuses it for want of permission. */
export function isRefused(answer: Error | undefined): boolean {
  return answer !== undefined && /^AccessDenied(Exception)?$/.test(answer.name);
}

/** Whether nobody or nothing is there that was named. */
export function isMissing(answer: Error | undefined): boolean {
  return answer !== undefined && /^NoSuchEntity(Exception)?$/.test(answer.name);
}
