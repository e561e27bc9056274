/** Rows of events that arrived after their window was closed. */
import type { LateEvent } from './answers.js';
import { FaultNotice } from './panel.js';
import { ListFrame, usePagedList } from './paged-list.js';
import { categoryPath, moment, price, UNKNOWN } from './wording.js';

const COLUMNS = ['Came', 'User', 'Item', 'What', 'Category', 'Price', 'Window that was closed'];

export function LateEvents() {
  const { items, fault, frame } = usePagedList<LateEvent>({ path: '/late-events' });
  return (
    <>
      {/* The number of new ones is shown beside it. */}
      <p class="hint">The newest first</p>
      <ListFrame label="Late events" frame={frame}>
        {items?.length === 0 && <p class="nothing">No event came too late.</p>}
        {items !== undefined && items.length > 0 && (
          <table class="list stacking" role="table">
            <caption class="unseen">Late events, the newest first</caption>
            <thead role="rowgroup">
              <tr role="row">
                {COLUMNS.map((name) => (
                  <th key={name} scope="col" role="columnheader">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody role="rowgroup">
              {items.map((event) => (
                <tr key={event.id} role="row">
                  {cellsOf(event).map((value, i) => (
                    <td key={i} role="cell" data-label={COLUMNS[i]}>
                      {value}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {fault !== undefined && <FaultNotice fault={fault} again />}
      </ListFrame>
    </>
  );
}

const cellsOf = (event: LateEvent) => [
  moment(event.stored_at),
  <code key="user">{event.user_id ?? UNKNOWN}</code>,
  <code key="item">{event.item_id ?? UNKNOWN}</code>,
  event.event_type ?? UNKNOWN,
  event.category === undefined ? UNKNOWN : categoryPath(event.category),
  event.price === undefined ? UNKNOWN : price(event.price),
  event.window_start === undefined ? UNKNOWN : `${moment(event.window_start)} – ${moment(event.window_end)}`,
];
