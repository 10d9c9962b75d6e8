/** A word as a POSIX shell reads it, for commands that people paste. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The text of a mail, with this configuration in its commands: whoever writes mails knows none. What
 * a command quotes stays as it is.
 */
export function withConfiguration(text: string, config: string): string {
  const ours = /^( *make [a-z-]+ )CONFIG=cordon\.json(?= |$)/gm;
  return text.replace(ours, (_, begin: string) => `${begin}CONFIG=${shellWord(config)}`);
}
