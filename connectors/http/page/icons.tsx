/** Line icons of 16 × 16. They repeat what the text beside them says. */

const PATHS = {
  sun: 'M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  moon: 'M13.5 9.6A5.9 5.9 0 0 1 6.4 2.5a5.9 5.9 0 1 0 7.1 7.1z',
  dice: 'M3 2.5h10a.5.5 0 0 1 .5.5v10a.5.5 0 0 1-.5.5H3a.5.5 0 0 1-.5-.5V3a.5.5 0 0 1 .5-.5zM5.5 5.5h.01M10.5 5.5h.01M8 8h.01M5.5 10.5h.01M10.5 10.5h.01',
  link: 'M6.5 9.5l3-3M7 4.5l1.2-1.2a3.2 3.2 0 0 1 4.5 4.5L11.5 9M9 11.5l-1.2 1.2a3.2 3.2 0 0 1-4.5-4.5L4.5 7',
  retry: 'M13 3v3.5H9.5M12.8 6.3A5.2 5.2 0 1 0 13.2 9',
  chevron: 'M6 3.5L10.5 8 6 12.5',
  close: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  up: 'M8 12.5v-9M4 7.5l4-4 4 4',
  down: 'M8 3.5v9M4 8.5l4 4 4-4',
  running: 'M3.5 8.5l3 3 6-7',
  restoring: 'M8 2.5v7M5 7l3 3 3-3M3 13.5h10',
  backoff: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2 1.3',
  stopped: 'M4.5 4.5h7v7h-7z',
  failed: 'M8 2.2L14.2 13H1.8zM8 6.5v3M8 11.3v.01',
  elsewhere: 'M4 8h.01M8 8h.01M12 8h.01',
  away: 'M2 2l12 12M3 7.5a7 7 0 0 1 2-1.3M13 7.5a7 7 0 0 0-5-2M5.5 10a3.5 3.5 0 0 1 2-1M8 12.5v.01',
  key: 'M10.5 2.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8.4 7.6L3 13M5 11l1.5 1.5',
} as const;

export type IconName = keyof typeof PATHS;

export const iconPath = (name: IconName): string => PATHS[name];

export const Icon = ({ name }: { readonly name: IconName }) => (
  <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    <path d={PATHS[name]} />
  </svg>
);

export const Logo = () => (
  <svg class="logo" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="8" />
    <path d="M6 10c5-4 8 4 13 1s5-3 7-2" />
    <path d="M6 16.5c5-4 8 4 13 1s5-3 7-2" />
    <path d="M6 23c5-4 8 4 13 1s5-3 7-2" />
  </svg>
);
