import { begunBy, type Containment, goneOn, inOrder, textOf } from './containments.ts';
import { day, EvidenceBucket, isJson } from './evidence.ts';
import { DAY } from './machines.ts';

/**
 * Prints who was contained, and whose unused keys were retired, since the day `SINCE` (UTC), or
 * since yesterday, as text or as `FORMAT=json`, and how each case stands. It is computed from the
 * evidence bucket alone. What lies there in the place of evidence and is none, it names.
 */
export async function contained(
  config: string,
  { SINCE, FORMAT }: NodeJS.ProcessEnv,
): Promise<void> {
  const since = day(SINCE || new Date(Date.now() - DAY).toISOString().slice(0, 10));
  const json = isJson(FORMAT);
  const bucket = await EvidenceBucket.find(config);
  const { all, others } = await containments(bucket, since);
  console.log(json ? JSON.stringify(all, null, 2) : textOf(all, since));
  bucket.nameOthers(
    others,
    'since they are no evidence of whom their key names: of a former release, damaged or planted',
  );
}

/** All of them, and the keys of what lies in the place of evidence and is none. */
export async function containments(
  bucket: Pick<EvidenceBucket, 'keys' | 'texts'>,
  since: string,
): Promise<{ all: readonly Containment[]; others: readonly string[] }> {
  const others: string[] = [];
  const keys = await bucket.keys('evidence/', since);
  // Beside a case's original lie those of later incidents, which have joined it. A case may have been
  // begun before, and contained since.
  const ofCases = keys.filter((key) => /^([^/]+\/){4}(original|left)\.json$/.test(key));
  const originals = new Set(ofCases.map((key) => `${folderOf(key)}/original.json`));
  const retired = await bucket.keys('retired/', since);
  const begun = new Map<string, Containment>();
  for await (const [key, text] of bucket.texts([...originals, ...retired])) {
    const one = begunBy(key, text);
    if (one === undefined) others.push(key);
    else begun.set(one.case === null ? key : folderOf(key), one);
  }
  const later = keys.filter(
    (key) => /\/(left|restored)\.json$/.test(key) && begun.has(folderOf(key)),
  );
  for await (const [key, text] of bucket.texts(later)) {
    const one = begun.get(folderOf(key));
    if (one === undefined) continue;
    const next = goneOn(one, key, text);
    if (next === undefined) others.push(key);
    begun.set(folderOf(key), next ?? { ...one, unclear: true });
  }
  const isSince = ({ at, readBack }: Containment) => at >= since || (readBack ?? '') >= since;
  return { all: inOrder([...begun.values()].filter(isSince)), others };
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/'));
}
