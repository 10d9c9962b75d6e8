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
  const there = new Set(keys);
  const retired = await bucket.keys('retired/', since);
  // A case may have been begun before, and joined by another incident or contained since.
  const ofCases = keys.filter((key) => /^([^/]+\/){4}[^/]+\.json$/.test(key));
  const folders = new Set(ofCases.map(folderOf));
  const begun = new Map<string, Containment>();
  const originals = [...folders].map((folder) => `${folder}/original.json`);
  for await (const [key, text] of bucket.texts([...originals, ...retired])) {
    const one = begunBy(key, text);
    const folder = folderOf(key);
    if (one !== undefined) begun.set(one.case === null ? key : folder, one);
    // Where there is none, what lies beside its place was planted.
    else if (text !== '' || there.has(key)) others.push(key);
    else others.push(...ofCases.filter((other) => folderOf(other) === folder));
  }
  const cases = [...folders].filter((folder) => begun.has(folder));
  const ends = cases.flatMap((folder) => [`${folder}/left.json`, `${folder}/restored.json`]);
  const joining = ofCases.filter((key) => !/\/(original|left|restored)\.json$/.test(key));
  for await (const [key, text] of bucket.texts([...ends, ...joining])) {
    const one = begun.get(folderOf(key));
    if (one === undefined || (text === '' && !there.has(key))) continue;
    const next = goneOn(one, key, text);
    if (next === undefined) others.push(key);
    // What lies beside them says nothing of how the case stands.
    begun.set(folderOf(key), next ?? { ...one, unclear: one.unclear || ends.includes(key) });
  }
  const isSince = ({ at, joined, readBack, unclear }: Containment) =>
    unclear || [at, joined?.at ?? '', readBack?.at ?? ''].some((time) => time >= since);
  return { all: inOrder([...begun.values()].filter(isSince)), others };
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/'));
}
