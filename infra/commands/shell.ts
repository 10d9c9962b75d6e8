/** A word as a POSIX shell reads it, for commands that people paste. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The text of a mail, with this configuration in its commands: whoever writes mails knows none. */
export function withConfiguration(text: string, config: string): string {
  return text.replaceAll('CONFIG=cordon.json', () => `CONFIG=${shellWord(config)}`);
}
