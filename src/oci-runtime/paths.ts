/** A path of the command line, which may begin where the command was started. */
export function toAbsolute(path: string, workingDirectory: string): string {
  return path.startsWith('/') ? path : `${workingDirectory}/${path}`;
}
