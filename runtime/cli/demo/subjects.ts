/** subjects: what the demo can be about, with its words for the view. */
import type { SchemaName } from '../../../actors/formats/schema.js';
import { createFilms } from './films.js';
import { createShop } from './shop.js';
import type { Simulation, SimulationOptions } from './simulation.js';

export interface Subject {
  readonly create: (options: SimulationOptions) => Simulation;
  /** Those by which its events are valid. */
  readonly schemas: readonly SchemaName[];
  /** `Busiest genres, last minute` */
  readonly groups: string;
  /** `Recommendations of 42, who is watching now` */
  readonly presence: string;
  /** Columns of an item and of its group; a title says more than an id that is a number. */
  readonly widths: readonly [item: number, group: number];
  readonly showsTitles: boolean;
  /** Until somebody has done something. */
  readonly someUser: string;
  /** An event to publish by hand; `time` is put into a quoted text. */
  event(user: string, time: string): string;
}

export const SHOP: Subject = {
  create: createShop,
  schemas: ['auto', 'rivulet'],
  groups: 'categories',
  presence: 'who is in the shop now',
  widths: [14, 14],
  showsTitles: false,
  someUser: 'user-0042',
  event: (user, time) => `{"event_type":"view","event_time":"${time}","user_id":"${user}","item_id":"item-1"}`,
};

export const FILMS: Subject = {
  create: createFilms,
  schemas: ['auto', 'movielens', 'movielens-strict'],
  groups: 'genres',
  presence: 'who is watching now',
  widths: [36, 14],
  showsTitles: true,
  someUser: '42',
  event: (user, time) => `{"event_type":"view","event_ts":"${time}","user_id":"${user}","movie_id":"1"}`,
};
