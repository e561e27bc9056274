/** Light or dark: as the system's setting, until the user chooses; the choice is stored. */
import { useEffect, useState } from 'preact/hooks';
import { Icon } from './icons.js';

type Theme = 'light' | 'dark';

const KEY = 'rivulet.theme';
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const system = (): Theme => (systemIsDark.matches ? 'dark' : 'light');

function chosen(): Theme | undefined {
  const theme = localStorage.getItem(KEY);
  return theme === 'light' || theme === 'dark' ? theme : undefined;
}

function show(theme: Theme | undefined): void {
  if (theme === undefined) delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}

export const restoreTheme = (): void => show(chosen());

export function ThemeToggle() {
  const [theme, setTheme] = useState<Theme>(chosen() ?? system());
  useEffect(() => {
    const onSystem = (): void => setTheme(chosen() ?? system());
    systemIsDark.addEventListener('change', onSystem);
    return () => systemIsDark.removeEventListener('change', onSystem);
  }, []);
  const onClick = (): void => {
    const next = theme === 'dark' ? 'light' : 'dark';
    // A choice equal to the system's is not stored: the page goes on following the system.
    if (next === system()) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
    show(chosen());
    setTheme(next);
  };
  const label = theme === 'dark' ? 'Use the light theme' : 'Use the dark theme';
  return (
    <button type="button" class="quiet square" onClick={onClick} aria-label={label} title={label}>
      <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
    </button>
  );
}
