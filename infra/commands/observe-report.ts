import { day, EvidenceBucket, isJson } from './evidence.ts';
import { type Observation, observationOf } from './observations.ts';
import { rowsOf, textOf } from './observe-rows.ts';

/**
 * Prints what Cordon would have done with whom while it observed, since the day `SINCE` (UTC) or
 * ever, as text or as `FORMAT=json`. It is computed from what observations have stored in the
 * evidence bucket alone. What lies there and is none, it names.
 */
export async function observeReport(
  config: string,
  { SINCE, FORMAT }: NodeJS.ProcessEnv,
): Promise<void> {
  const since = day(SINCE || '1970-01-01');
  const json = isJson(FORMAT);
  const bucket = await EvidenceBucket.find(config);
  const observations: Observation[] = [];
  const others: string[] = [];
  for await (const [key, text] of bucket.texts(await bucket.keys('observed/', since))) {
    const observation = observationOf(key, text);
    if (observation === 'none') others.push(key);
    else if (observation !== 'told' && observation.at >= since) observations.push(observation);
  }
  const rows = rowsOf(observations);
  console.log(json ? JSON.stringify(rows, null, 2) : textOf(rows));
  bucket.nameOthers(others, 'since they say no rule, as those of former releases, or were planted');
}
