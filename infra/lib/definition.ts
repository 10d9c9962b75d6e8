import { readFileSync } from 'node:fs';

/** The state machine's file and what is filled into it do not fit together. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError';
}

const PLACEHOLDER = /\$\{([A-Za-z]\w*)\}/g;

/**
 * Reads the state machine's definition, verbatim: CloudFormation fills the `${Name}` placeholders
 * with `substitutions`. It leaves a placeholder without a value as it is and says nothing of a
 * value without a placeholder, so both are refused here.
 */
export function readDefinition(
  path: string,
  substitutions: Readonly<Record<string, string>>,
): string {
  const definition = read(path);
  const placeholders = placeholdersOf(definition);
  for (const name of placeholders) {
    if (!(name in substitutions)) {
      throw new DefinitionError(`\`${path}\` has the unknown placeholder \`\${${name}}\``);
    }
  }
  for (const name of Object.keys(substitutions)) {
    if (!placeholders.has(name)) {
      throw new DefinitionError(`\`${path}\` has no placeholder \`\${${name}}\``);
    }
  }
  return definition;
}

/** The steps that the state machine of the file at `path` runs. */
export function stepsOf<T extends { readonly state: string }>(
  path: string,
  steps: readonly T[],
): readonly T[] {
  const placeholders = placeholdersOf(read(path));
  return steps.filter(({ state }) => placeholders.has(`${state}FunctionArn`));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DefinitionError(`cannot read \`${path}\``, { cause });
  }
}

function placeholdersOf(definition: string): ReadonlySet<string> {
  return new Set([...definition.matchAll(PLACEHOLDER)].map(([, name]) => name ?? ''));
}
