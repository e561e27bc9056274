import { render } from 'preact';
import { App } from './app.js';
import { restoreTheme } from './theme.js';

restoreTheme();
// The script may run before the body exists: the first paint waits for it.
const show = (): void => render(<App />, document.getElementById('page')!);
if (document.readyState === 'loading') addEventListener('DOMContentLoaded', show);
else show();
