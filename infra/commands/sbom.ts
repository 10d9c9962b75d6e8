/** What of an SBOM (CycloneDX 1.5) is read here; all else is kept as it is. */
export interface Sbom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly Dependency[];
}

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
}

interface Dependency {
  readonly ref: string;
  readonly dependsOn?: readonly string[];
}

/**
 * The SBOM with what its package is built of, and nothing else. Its tool goes by what Cargo resolves
 * for the whole workspace, where tests ask for features that no package has. `tree` is what
 * `cargo tree` has with `--format {p}`: a crate a line, such as `ring v0.17.14`.
 */
export function onlyBuilt(sbom: Sbom, tree: string): Sbom {
  const built = new Set(tree.split('\n').map((line) => line.split(' ').slice(0, 2).join(' ')));
  const known = new Set(
    [sbom.metadata.component, ...sbom.components]
      .filter(({ name, version }) => built.has(`${name} v${version}`))
      .map((component) => component['bom-ref']),
  );
  const edges = new Map(sbom.dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]));
  const reached = new Set<string>();
  const reach = (ref: string): void => {
    if (!known.has(ref) || reached.has(ref)) return;
    reached.add(ref);
    for (const next of edges.get(ref) ?? []) reach(next);
  };
  reach(sbom.metadata.component['bom-ref']);
  return {
    ...sbom,
    components: sbom.components.filter((component) => reached.has(component['bom-ref'])),
    dependencies: sbom.dependencies
      .filter(({ ref }) => reached.has(ref))
      .map(({ ref, dependsOn }) => ({
        ref,
        ...(dependsOn && { dependsOn: dependsOn.filter((each) => reached.has(each)) }),
      })),
  };
}
