/** Colours as they are in light surroundings. Series differ in line and symbol, too, for those who do not see the colours. */
export const THEME = {
  font: 'system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, DejaVu Sans, sans-serif',
  paper: '#ffffff',
  text: '#1f2328',
  faint: '#59636e',
  grid: '#e4e8ec',
  ours: '#0969da',
  oursLight: '#54aeff',
  second: '#bc4c00',
  secondLight: '#fb8f44',
  peers: '#8c959f',
  budget: '#bf3989',
} as const;

/** What takes their place in dark surroundings. */
export const DARK_PAIRS: readonly (readonly [light: string, dark: string])[] = [
  [THEME.paper, '#0d1117'],
  [THEME.text, '#e6edf3'],
  [THEME.faint, '#9198a1'],
  [THEME.grid, '#262c36'],
  [THEME.ours, '#4493f8'],
  [THEME.oursLight, '#79c0ff'],
  [THEME.second, '#f0883e'],
  [THEME.secondLight, '#ffb77c'],
  [THEME.peers, '#7d8590'],
  [THEME.budget, '#f778ba'],
];
