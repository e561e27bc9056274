/** Results of the doctor's checks. */

export interface Finding {
  readonly state: 'ok' | 'warning' | 'broken';
  readonly message: string;
  /** How to fix it. */
  readonly fix?: string;
}

export interface Check {
  readonly name: string;
  run(): Promise<Finding | readonly Finding[]>;
}

export const ok = (message: string): Finding => ({ state: 'ok', message });
export const warning = (message: string, fix: string): Finding => ({ state: 'warning', message, fix });
export const broken = (message: string, fix: string): Finding => ({ state: 'broken', message, fix });
