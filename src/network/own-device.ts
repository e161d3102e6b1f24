/** The name of our device for the interface with this place in the list. */
export function deviceName(place: number): string {
  return `wardian${place}`;
}

/** Names of our own devices; nobody else's are called that. */
export function isOwnDevice(name: string): boolean {
  return /^wardian\d+$/.test(name);
}
