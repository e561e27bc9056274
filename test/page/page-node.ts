/** What the tests of the page need of a node. The tests do not know whether it is a stand-in or a real one. */

export type ShopEvent = {
  readonly event_type: string;
  readonly event_time: string;
  readonly user_id: string;
  readonly item_id: string;
  readonly category_code?: string;
};

export interface PageNode {
  /** Without a slash at its end; the page is at /ui/. */
  readonly url: string;
  /** Events on their way into the pipeline, stored when this is over. */
  publish(events: readonly (ShopEvent | string)[]): Promise<void>;
  close(): Promise<void>;
}
