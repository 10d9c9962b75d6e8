import { readFileSync } from 'node:fs';

/** A policy file is unreadable, or holds a placeholder that nothing fills. */
export class PolicyFileError extends Error {
  override readonly name = 'PolicyFileError';
}

/** A complete IAM policy, reviewed as a file, that is the only policy of one role. */
export interface PolicyFile {
  readonly path: string;
  readonly document: unknown;
  /** The names of its `${Name}` placeholders. */
  readonly placeholders: ReadonlySet<string>;
}

/** What placeholders stand for; a list replaces the array element that names it. */
export type PlaceholderValues = Readonly<Record<string, string | readonly string[]>>;

/**
 * `${Name}`, but neither a policy variable such as `${aws:PrincipalTag/team}` nor one of the
 * escapes `${*}`, `${?}`, `${$}`, all of which IAM itself fills in (IAM User Guide, "IAM policy
 * elements: Variables and tags").
 */
const PLACEHOLDER = /\$\{(?!aws:|[*?$]\})([^}]*)\}/g;

export function readPolicyFile(path: string): PolicyFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new PolicyFileError(`cannot read \`${path}\``, { cause });
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new PolicyFileError(`\`${path}\` is not JSON`, { cause });
  }
  const placeholders = new Set([...text.matchAll(PLACEHOLDER)].map(([, name]) => name ?? ''));
  return { path, document, placeholders };
}

export function fillPolicy(file: PolicyFile, values: PlaceholderValues): unknown {
  return fill(file.document);

  function fill(node: unknown): unknown {
    if (typeof node === 'string') return node.replace(PLACEHOLDER, (_, name) => single(name));
    if (Array.isArray(node)) return elements(node);
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, fill(value)]));
  }

  function elements(nodes: readonly unknown[]): unknown[] {
    const filled = nodes.flatMap((node) => {
      const name = typeof node === 'string' ? /^\$\{([^}]*)\}$/.exec(node)?.[1] : undefined;
      const value = name === undefined ? undefined : values[name];
      return Array.isArray(value) ? value : [fill(node)];
    });
    if (filled.length === 0) {
      // IAM reads an empty Resource or Action as a malformed policy, not as one about nothing.
      throw new PolicyFileError(`\`${file.path}\` has a list that is empty once filled`);
    }
    return filled;
  }

  function single(name: string): string {
    const value = values[name];
    if (value === undefined) {
      throw new PolicyFileError(`\`${file.path}\` has the unknown placeholder \`\${${name}}\``);
    }
    if (typeof value !== 'string') {
      throw new PolicyFileError(
        `\`${file.path}\` uses the list \`\${${name}}\` otherwise than as an array element`,
      );
    }
    return value;
  }
}

/**
 * The policy with CloudFormation's own parameters left in, as `Fn::Sub`: a third of the bytes that
 * `Fn::Join` takes, and a template has a limit.
 */
export function forTemplate(file: PolicyFile, values: PlaceholderValues): unknown {
  const own = { 'AWS::Partition': '${AWS::Partition}', 'AWS::AccountId': '${AWS::AccountId}' };
  return substituted(fillPolicy(file, { ...values, ...own }));
}

function substituted(node: unknown): unknown {
  if (typeof node === 'string') {
    return node.includes('${AWS::') ? { 'Fn::Sub': node.replace(/\$\{(?!AWS::)/g, '${!') } : node;
  }
  if (Array.isArray(node)) return node.map(substituted);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, substituted(value)]));
}
