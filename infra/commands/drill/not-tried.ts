/** The claims that no person's credentials settle without harm, and why. */
export const NOT_TRIED: Readonly<Record<string, string>> = {};
